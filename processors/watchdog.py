"""When a processor is stuck: it has work, and gets none of it done. Pure."""

from __future__ import annotations


class Watchdog:
    """Looked at now and then; `patience_s` is how long work may wait without any progress."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._progress = -1
        self._since: float | None = None

    def stalled(self, now_s: float, progress: int, *, waiting: bool) -> bool:
        """Tell whether nothing got done for too long.

        `now_s` is a clock that never steps, `progress` any number that grows with what is done, `waiting` whether
        there is work.
        """
        if not waiting or progress != self._progress or self._since is None:
            self._progress = progress
            self._since = now_s if waiting else None
            return False
        return now_s - self._since >= self._patience_s
