"""What the warehouse tells the doctor, of rows made by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.clock import now_ms
from sinks.doctor import read_metrics
from sinks.doctor_stored import ENOUGH_MINUTES, look_up
from sinks.facts import Channel
from tests.sinks.test_views import NOON, Tables, tables

__all__ = ["tables"]  # the fixture

pytestmark = pytest.mark.stack
MINUTE = timedelta(minutes=1)
SINCE = int(NOON.timestamp() * 1000)


async def only(tables: Tables) -> Channel:
    """Return the one channel that the tests tell of."""
    (channel,) = (await look_up(tables.clickhouse, SINCE)).channels
    return channel


async def test_gaps_are_what_was_passed_through_and_never_told_not_what_came_late(tables: Tables) -> None:
    await tables.tell("READ", NOON, message="both", implied=2)
    await tables.tell("READ", NOON, message="came", implied=2)
    await tables.tell("SENT", NOON, message="came", out_of_order=True)
    await tables.tell("DELIVERED", NOON, message="came", out_of_order=True)
    await tables.tell("DELIVERED", NOON, message="sent", implied=1)
    await tables.tell("READ", NOON, message="sent", implied=1)
    await tables.tell("DELIVERED", NOON, message="later", implied=1)
    await tables.tell("SENT", NOON, message="later", out_of_order=True)
    await tables.tell("READ", NOON, message="later", implied=0)
    await tables.tell("READ", NOON, message="known long before", implied=0)
    await tables.tell("FAILED", NOON, message="off the ladder", implied=0)
    found = await only(tables)
    assert found.gaps == 2 + 1
    assert found.receipts == 11
    assert found.out_of_order == 3


async def test_what_a_channel_does_not_report_is_no_gap(tables: Tables) -> None:
    await tables.add("INSTAGRAM", message="x")
    await tables.tell("SENT", NOON, message="1")
    await tables.tell("READ", NOON, message="1", implied=1)
    assert (await only(tables)).gaps == 0
    await tables.tell("READ", NOON, message="2", implied=2)
    assert (await only(tables)).gaps == 1


async def test_what_is_older_is_not_counted_but_still_known(tables: Tables) -> None:
    await tables.tell("READ", NOON - MINUTE, implied=2, contradiction=True)
    found = await only(tables)
    assert (found.receipts, found.gaps, found.contradictions) == (0, 0, 0)
    assert found.statuses == ("READ",)
    assert found.last_heard_ms == SINCE - 60_000


async def test_the_usual_silence_is_told_once_enough_minutes_were_heard(tables: Tables) -> None:
    for number in range(ENOUGH_MINUTES - 1):
        await tables.tell("SENT", NOON + number * MINUTE, message=str(number))
    assert (await only(tables)).longest_silence_s == 0
    await tables.tell("SENT", NOON + (ENOUGH_MINUTES + 40) * MINUTE, message="last", time_source="event")
    found = await only(tables)
    assert found.longest_silence_s == 42 * 60
    assert found.other_clock == 1


async def test_an_empty_warehouse_tells_nothing(tables: Tables) -> None:
    found = await look_up(tables.clickhouse, now_ms())
    assert (found.orgs, found.channels, found.letters) == ((), (), ())


def test_metrics_are_read_by_outcome_and_org() -> None:
    text = """
# TYPE receipts_ingest_requests_total counter
receipts_ingest_requests_total{outcome="accepted"} 5.0
receipts_ingest_requests_total{outcome="wrong_secret"} 2.0
# TYPE receipts_ingest_last_event_timestamp_seconds gauge
receipts_ingest_last_event_timestamp_seconds{org="9"} 1.76e+09
"""
    assert read_metrics(text) == ({"accepted": 5, "wrong_secret": 2}, {"9": 1_760_000_000_000})
