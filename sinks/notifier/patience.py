"""How often a destination is tried, and when it is given up. Pure: times are seconds of any steady clock."""

from __future__ import annotations

from typing import Final

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 600.0
REFUSALS: Final = 3
"""Tries of a notification that the receiver understands and refuses."""
REFUSALS_OF_DIGEST: Final = 2
"""Then its halves are tried."""
_ROUNDING: Final = 1e-9
"""Tries."""


def pause_after(failures: int, *, asked: float, jitter: float) -> float:
    """Return how long to wait after so many failures in a row; `jitter` from 0 to 1 takes up to half off.

    No shorter than what the receiver asked for.
    """
    pause = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    return max(asked, pause * (1 - jitter / 2))


class Rate:
    """At most so many tries a minute, a sixth of them at once."""

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, per_minute / 6)
        self._left = self._most
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Return in how many seconds a try is allowed; 0: now."""
        if self._at is not None:
            self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        short = 1 - self._left
        # Who waits for as long as this says finds a billionth missing at most: times are rounded.
        return short / self._per_second if short > _ROUNDING else 0.0

    def take(self) -> None:
        """Note a try."""
        self._left -= 1


class Health:
    """Whether a destination is disabled: it was given up, or wants nothing any more, and is only probed."""

    def __init__(self, give_up_after: float, probe_every: float) -> None:
        self._give_up_after, self._probe_every = give_up_after, probe_every
        self._failing_since: float | None = None
        self._probe_at: float | None = None
        self.failures = 0
        """In a row."""

    @property
    def disabled(self) -> bool:
        """Whether it is given up."""
        return self._probe_at is not None

    def may_try(self, now: float) -> bool:
        """Tell whether a try is due: always, while it is not disabled."""
        return self._probe_at is None or now >= self._probe_at

    def succeeded(self) -> None:
        """Note a success: all is well again."""
        self._failing_since = self._probe_at = None
        self.failures = 0

    def failed(self, now: float, *, gone: bool = False) -> None:
        """Note a failure; a destination that is gone is disabled at once."""
        self.failures += 1
        if self._failing_since is None:
            self._failing_since = now
        if gone or self.disabled or now - self._failing_since >= self._give_up_after:
            self._probe_at = now + self._probe_every
