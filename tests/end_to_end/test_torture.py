"""The whole chain under a nemesis: every role killed, paused, stopped; then every row against the answer key."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from rich.console import Console

from sandbox.torture.faults import Appetite, plan
from sandbox.torture.run import EVERYTHING, Torment, Torture

TARGETS = ("processor-1", "processor-2", "sink-1", "sink-2")


def test_a_plan_is_the_same_for_the_same_seed_and_holds_every_fault() -> None:
    appetite = Appetite(kills=20, pauses=3, terminations=2)
    faults = plan(7, 60.0, TARGETS, appetite)
    assert faults == plan(7, 60.0, TARGETS, appetite)
    assert faults != plan(8, 60.0, TARGETS, appetite)
    assert [sum(fault.kind == kind for fault in faults) for kind in ("kill", "pause", "terminate")] == [20, 3, 2]
    assert {fault.target for fault in faults} == set(TARGETS)
    assert all(0 <= fault.at_s <= 60 for fault in faults)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)


@pytest.mark.stack
@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_miscounted_under_faults() -> None:
    torment = Torment(
        events=15_000,
        seconds=16.0,
        seed=11,
        http=True,
        targets=EVERYTHING,
        appetite=Appetite(kills=5, pauses=1, terminations=1),
        traffic={"duplicates": 0.10, "reorder": 0.20, "missing": 0.02, "channels": 14},
        settings={"STATE_STORE": "rocksdb"},
    )
    said = StringIO()
    equal = await Torture(os.environ, torment, Console(file=said)).go()
    assert equal, said.getvalue()
