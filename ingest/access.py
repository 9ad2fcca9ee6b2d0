"""The access log: structured, sampled, without path or body, so that neither secrets nor a flood reach the log."""

from __future__ import annotations

from core.logs import get

log = get("ingest.access")

PER_SECOND = 5
"""Lines of one outcome in one second; the next line tells how many were left out."""


class AccessLog:
    """Logs the first requests of each outcome in each second, and counts the rest."""

    def __init__(self) -> None:
        self._second = 0
        self._lines: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def write(self, outcome: str, now_ms: int, **facts: object) -> None:
        """Log a request by its outcome: `accepted` or why it was refused."""
        second = now_ms // 1000
        if second != self._second:
            self._second = second
            self._lines.clear()
        lines = self._lines.get(outcome, 0)
        if lines >= PER_SECOND:
            self._left_out[outcome] = self._left_out.get(outcome, 0) + 1
            return
        self._lines[outcome] = lines + 1
        left_out = self._left_out.pop(outcome, 0)
        if left_out:
            facts["left_out"] = left_out
        log.info("request", outcome=outcome, **facts)
