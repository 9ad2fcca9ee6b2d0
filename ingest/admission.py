"""How much may be in flight at once: requests and the bytes of their bodies."""

from __future__ import annotations

from typing import Self

from ingest import answers


class Admission:
    """Counts what is held; refuses more than the limits. Bodies count from their declaration to their answer."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self) -> Ticket:
        """Admit one more request. Raises Refused (429)."""
        if self.requests >= self._max_requests:
            raise answers.Refused(answers.BUSY)
        self.requests += 1
        return Ticket(self)

    def grow(self, size: int) -> None:
        """Admit more bytes. Raises Refused (429)."""
        if self.bytes + size > self._max_bytes and self.bytes:
            raise answers.Refused(answers.BUSY)
        self.bytes += size


class Ticket:
    """One request's share of what is in flight; a context that gives it back."""

    __slots__ = ("_admission", "_bytes")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._bytes = 0

    def hold(self, size: int) -> None:
        """Hold at least `size` bytes from now on. Raises Refused (429)."""
        if size > self._bytes:
            self._admission.grow(size - self._bytes)
            self._bytes = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admission.requests -= 1
        self._admission.bytes -= self._bytes
