"""How many records had which outcome, for the metrics."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts since the last time somebody took them."""

    __slots__ = ("alerts", "applied", "closed", "duplicate", "forgotten", "late", "other", "parked")

    def __init__(self) -> None:
        self.applied = self.duplicate = self.parked = self.other = self.late = self.forgotten = self.closed = 0
        self.alerts: Counter[tuple[str, str]] = Counter()
        """By rule and state."""
