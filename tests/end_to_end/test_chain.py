"""Webhooks in over HTTP, rows out of ClickHouse: equal to both answer keys, whatever happens in between."""

from __future__ import annotations

import os
import signal

import pytest

from core.clock import now_ms
from sandbox.demo.run import sample
from sandbox.simulator import Traffic, calls, events
from sandbox.simulator.client import Pace
from tests.end_to_end.conftest import SENDERS, Chain

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def traffic(seed: int, messages: int = 2000) -> Traffic:
    return Traffic(
        now_ms=now_ms(), messages=messages, duplicates=0.1, reorder=0.1, missing=0.1, strange=0.01, broken=7, seed=seed
    )


async def test_the_sources_own_sample_arrives_with_every_digit(chain: Chain) -> None:
    await chain.post([sample()])
    tables = await chain.settled()
    (row,) = [row for row in tables["transitions"] if row["org_id"] == "106553778"]
    assert row["message_id"] == "50007000000006017"
    assert row["session_id"] == "50007000000004136"
    assert row["channel_id"] == "50007000000004080"
    assert (row["old_status"], row["new_status"]) == ("SENT", "DELIVERED")
    assert row["updated_time"] == "2025-10-09T07:27:19.394Z"
    assert row["event_time"] == "2025-06-27T11:01:27.019Z"
    assert (row["implied"], row["time_source"]) == (1, "updated")


async def test_noisy_traffic_gives_exactly_the_rows_of_the_answer_key(chain: Chain) -> None:
    outcome = await chain.post(list(calls(events(traffic(11)), senders=SENDERS)))
    assert outcome.parked == 7
    await chain.settled()


async def test_the_same_calls_again_change_only_duplicates(chain: Chain) -> None:
    made = list(calls(events(traffic(12, messages=500)), senders=SENDERS))
    await chain.post(made)
    once = await chain.settled()
    await chain.post(made)
    twice = await chain.settled()
    for table in ("transitions", "message_state", "channel_rates"):
        assert sorted(map(str, once[table])) == sorted(map(str, twice[table]))
    grown = {"duplicates", "late"}
    same = [
        [{k: v for k, v in row.items() if k not in grown} for row in each["channel_windows"]] for each in (once, twice)
    ]
    places = {(row["channel_id"], row["window_start"]) for row in same[0]}
    # A late record is counted in the minute of its arrival: the second round may bring windows of late ones alone.
    again = [row for row in same[1] if (row["channel_id"], row["window_start"]) in places]
    assert sorted(map(str, again)) == sorted(map(str, same[0]))


@pytest.mark.parametrize("role", ["processor-1", "sink-1"])
async def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(chain: Chain, role: str) -> None:
    killed: list[int] = []

    def kill() -> None:
        killed.append(int(chain.up.ps()[role]["pid"]))
        os.kill(killed[0], signal.SIGKILL)

    made = list(calls(events(traffic(13 if role == "sink-1" else 14)), senders=SENDERS))
    await chain.post(made, pace=Pace(rate=3000), then=kill)
    await chain.settled()
    row = chain.up.ps()[role]
    assert row["pid"] != killed[0]
    assert row["restarts"] >= 1
