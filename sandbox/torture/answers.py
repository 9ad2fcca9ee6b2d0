"""What the ingress answered, and when it took too long or said what it never may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sandbox.torture.faults import SUPERVISOR, Fault

LONGEST_S = 5.0
GONE = 410
MAY = frozenset({200, 429, 503})
"""Every answer that well-formed events may get; 0 is none at all."""


class Answer(NamedTuple):
    """One request: when it began (monotonic seconds), how long it took, its status; 0 where there was none."""

    began: float
    seconds: float
    status: int


class Answers:
    """All answers of a run."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.slow: list[Answer] = []
        self._recent: list[float] = []

    def note(self, began: float, seconds: float, status: int) -> None:
        """Take one."""
        self.counts[status] += 1
        if status:
            self._recent.append(seconds)
        if seconds > LONGEST_S:
            self.slow.append(Answer(began, seconds, status))

    def take_recent(self) -> list[float]:
        """Return how long the answers since the last call took, sorted."""
        recent, self._recent = sorted(self._recent), []
        return recent

    def wrong(self, struck: Iterable[Fault], began: float) -> list[str]:
        """Return what must not be. An ingress that is stopped by a fault cannot answer: its time does not count.

        `began` is when the faults began (monotonic seconds).
        """
        found = [f"{number} answers {status}" for status, number in self.counts.items() if status and status not in MAY]
        away = [
            (began + fault.at_s, began + fault.at_s + fault.seconds)
            for fault in struck
            if fault.target == SUPERVISOR or (fault.kind == "pause" and "ingest" in fault.targets)
        ]
        for answer in self.slow:
            own = answer.seconds - sum(_overlap(answer, *each) for each in away)
            if own > LONGEST_S:
                at_s = answer.began - began
                found.append(f"at {at_s:.1f} s an answer ({answer.status}) took {answer.seconds:.1f} s")
        return found


def _overlap(answer: Answer, begin: float, end: float) -> float:
    return max(0.0, min(end, answer.began + answer.seconds) - max(begin, answer.began))
