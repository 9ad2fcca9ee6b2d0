"""Which faults strike when. Pure: the same seed gives the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["kill", "pause", "terminate"]
KINDS: tuple[Kind, ...] = ("kill", "pause", "terminate")
SIGNS = {"kill": "SIGKILL", "pause": "SIGSTOP", "terminate": "SIGTERM"}


class Fault(NamedTuple):
    """One fault: `at_s` seconds after the start, on an instance such as `processor-1`; a pause lasts `seconds`."""

    at_s: float
    kind: Kind
    target: str
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.kind == "pause" else ""
        return f"{self.at_s:7.1f} s  {SIGNS[self.kind]} {self.target}{lasting}"


class Appetite(NamedTuple):
    """How much of what: `kills` of any target, `pauses` of up to `longest_s` seconds, orderly `terminations`."""

    kills: int
    pauses: int = 0
    terminations: int = 0
    longest_s: float = 13.0


def plan(seed: int, seconds: float, targets: Sequence[str], appetite: Appetite) -> list[Fault]:
    """Spread the faults at random over `seconds`, in order of time."""
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    numbers: tuple[tuple[Kind, int], ...] = (
        ("kill", appetite.kills),
        ("pause", appetite.pauses),
        ("terminate", appetite.terminations),
    )
    kinds = [kind for kind, number in numbers for _ in range(number)]
    return sorted(
        Fault(
            random.uniform(0, seconds),
            kind,
            random.choice(targets),
            # Half of the pauses outlast the session time-out, so that the paused process wakes up as a zombie.
            random.choice((random.uniform(0.5, 3.0), appetite.longest_s)) if kind == "pause" else 0.0,
        )
        for kind in kinds
    )
