"""What a sender is, and how a try may fail."""

from __future__ import annotations

from typing import Protocol

from sinks.notifier.content import Notification


class TryAgainError(Exception):
    """The notification did not arrive, and may later.

    `after` is what the receiver asked for, in seconds; `status` that of HTTP, 0 without one.
    """

    def __init__(self, reason: str, *, after: float = 0.0, status: int = 0) -> None:
        super().__init__(reason)
        self.after, self.status = after, status


class RefusedError(Exception):
    """The receiver understood this very notification and refused it: another one may be taken."""


class GoneError(Exception):
    """The receiver wants nothing any more (HTTP 410)."""


class Sender(Protocol):
    """Sends to one destination."""

    async def send(self, notification: Notification) -> None:
        """Return when the receiver has acknowledged. Raises one of the three errors above, or OSError."""
