"""The whole chain under a nemesis: every role killed, paused, stopped; then every row against the answer key."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from rich.console import Console

from sandbox.torture.faults import SIGNS, SUPERVISOR, Appetite, of_minutes, plan
from sandbox.torture.run import EVERY_BROKER, EVERYTHING, Torment, Torture

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


def test_a_plan_of_minutes_strikes_everything_with_everything() -> None:
    faults = plan(7, 600.0, (*EVERYTHING, *EVERY_BROKER), of_minutes(10))
    assert {fault.kind for fault in faults} == set(SIGNS)
    assert {target for fault in faults for target in fault.targets} >= {*EVERYTHING, *EVERY_BROKER, SUPERVISOR}


@pytest.mark.stack
@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_or_miscounted_under_faults() -> None:
    minutes = 0.5
    torment = Torment(
        events=7_500,
        seconds=60 * minutes,
        seed=11,
        http=True,
        brokers=3,
        targets=(*EVERYTHING, *EVERY_BROKER),
        appetite=of_minutes(minutes),
        traffic={"duplicates": 0.10, "reorder": 0.20, "missing": 0.02, "channels": 14},
        settings={"STATE_STORE": "rocksdb"},
    )
    said = StringIO()
    equal = await Torture(os.environ, torment, Console(file=said)).go()
    assert equal, said.getvalue()
