"""Slows down whoever tries tokens: so many wrong ones a minute, over all callers. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

MOST: Final = 10
WITHIN_MS: Final = 60_000


class Guesses:
    """Remembers the last wrong tokens."""

    def __init__(self) -> None:
        self._wrong: deque[int] = deque(maxlen=MOST)

    def wrong(self, now_ms: int) -> None:
        """Note a wrong token."""
        self._wrong.append(now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """Return how long no token is looked at; 0 when one may be tried."""
        if len(self._wrong) < MOST:
            return 0
        return max(0, self._wrong[0] + WITHIN_MS - now_ms)
