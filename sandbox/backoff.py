"""How long a role that died waits before it is started again."""

from __future__ import annotations

FIRST_S = 0.2
LONGEST_S = 15.0
STABLE_S = 30.0
"""A life this long forgives the deaths before it."""


class Backoff:
    """Exponential: 0.2 s, 0.4 s … 15 s; back to the start after a long enough life."""

    def __init__(self) -> None:
        self._deaths = 0

    def after(self, lived_s: float) -> float:
        """Return the seconds to wait after a life of `lived_s` seconds."""
        if lived_s >= STABLE_S:
            self._deaths = 0
        self._deaths += 1
        return float(min(LONGEST_S, FIRST_S * 2 ** min(self._deaths - 1, 20)))
