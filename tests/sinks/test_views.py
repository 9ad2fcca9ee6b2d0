"""The views against rows made by hand: every sentence of what they promise their readers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from core.clickhouse import HttpClickHouse, connect
from core.settings import parse
from sinks.migrate import migrate, released
from sinks.timeline import timelines

pytestmark = pytest.mark.stack

HOUR = timedelta(hours=1)
NOON = datetime(2025, 10, 9, 12, tzinfo=UTC)


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Tables:
    """A database of one test, filled by hand."""

    def __init__(self, clickhouse: HttpClickHouse) -> None:
        self.clickhouse = clickhouse
        self.offset = 0

    async def tell(self, status: str, when: datetime, *, message: str = "1", **fields: Any) -> None:
        """Insert a transition, at the next raw offset unless one is given."""
        row = {
            "org_id": "9",
            "channel_id": "7",
            "session_id": "3",
            "message_id": message,
            "old_status": "",
            "new_status": status,
            "updated_time": iso(when),
            "event_time": None,
            "received_time": iso(when),
            "time_source": "updated",
            "implied": 0,
            "out_of_order": False,
            "contradiction": False,
            "sent_to_delivered_ms": None,
            "delivered_to_read_ms": None,
            "raw_partition": 0,
            "raw_offset": self.offset,
        }
        self.offset += 1
        await self.insert("transitions_log", {**row, **fields})

    async def add(self, kind: str, *, message: str = "1", channel: str = "7", created: str = "1751022087019") -> None:
        """Insert the raw event of a message's creation."""
        body = {"payload": {"integration": kind, "direction": "OUT", "createdTime": created}}
        await self.insert(
            "raw_events_log",
            {
                "org_id": "9",
                "event_type": "IM_Message_Add",
                "message_id": message,
                "channel_id": channel,
                "received_time": iso(NOON),
                "raw_partition": 0,
                "raw_offset": self.offset,
                "body": orjson.dumps(body).decode(),
            },
        )
        self.offset += 1

    async def insert(self, table: str, *rows: dict[str, Any]) -> None:
        await self.clickhouse.insert(table, b"\n".join(map(orjson.dumps, rows)), token=uuid4().hex)

    async def one(self, sql: str) -> dict[str, Any]:
        rows = await self.clickhouse.rows(sql)
        assert len(rows) == 1, rows
        return rows[0]


@pytest.fixture
async def tables(warehouse: str) -> AsyncIterator[Tables]:
    database = f"views_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(clickhouse, released())
        yield Tables(clickhouse)
        await server.command(f"DROP DATABASE {database}")


async def test_a_transition_written_twice_is_one_row_and_null_stays_null(tables: Tables) -> None:
    for _ in range(2):
        await tables.tell("SENT", NOON, raw_offset=5)
    row = await tables.one("SELECT * FROM transitions")
    assert (row["event_time"], row["sent_to_delivered_ms"]) == (None, None)
    assert row["updated_time"] == "2025-10-09T12:00:00.000Z"
    assert (row["out_of_order"], row["time_source"]) == (False, "updated")


async def test_a_negative_latency_is_kept_as_it_is(tables: Tables) -> None:
    await tables.tell("DELIVERED", NOON, sent_to_delivered_ms=-30)
    assert (await tables.one("SELECT * FROM transitions"))["sent_to_delivered_ms"] == -30


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_the_lowest_raw_offset_of_a_status_holds(tables: Tables, order: tuple[int, int]) -> None:
    for offset in order:
        await tables.tell("SENT", NOON + offset * HOUR, raw_offset=offset)
    for view, column in (("transitions", "updated_time"), ("message_state", "sent_time")):
        assert (await tables.one(f"SELECT * FROM {view}"))[column] == iso(NOON + HOUR)


async def test_message_state_takes_its_highest_status_and_its_first_channel(tables: Tables) -> None:
    await tables.tell("READ", NOON, channel_id="first", session_id="s1")
    await tables.tell("SENT", NOON - HOUR, channel_id="second", session_id="s2")
    row = await tables.one("SELECT * FROM message_state")
    assert (row["status"], row["channel_id"], row["session_id"]) == ("READ", "first", "s1")
    assert (row["delivered_time"], row["delivered_implied"]) == (None, True)


async def test_a_message_with_statuses_off_the_ladder_only_has_the_first(tables: Tables) -> None:
    await tables.tell("QUEUED", NOON)
    await tables.tell("FAILED", NOON)
    row = await tables.one("SELECT * FROM message_state")
    assert (row["status"], row["sent_time"], row["delivered_implied"]) == ("QUEUED", None, False)


@pytest.mark.parametrize("created_first", [True, False])
async def test_a_messages_creation_is_joined_in_either_order(tables: Tables, created_first: bool) -> None:  # noqa: FBT001
    if created_first:
        await tables.add("WHATSAPP")
        assert await tables.clickhouse.rows("SELECT * FROM message_state") == []
    await tables.tell("SENT", NOON)
    if not created_first:
        await tables.add("WHATSAPP")
    row = await tables.one("SELECT * FROM message_state")
    assert (row["channel_type"], row["direction"]) == ("WHATSAPP", "OUT")
    assert row["created_time"] == "2025-06-27T11:01:27.019Z"


async def test_channel_rates_count_a_message_once_in_the_hour_of_its_sending(tables: Tables) -> None:
    await tables.add("WHATSAPP")
    await tables.tell("SENT", NOON)
    await tables.tell("DELIVERED", NOON + 2 * HOUR)
    await tables.tell("SENT", NOON, message="2")
    await tables.tell("READ", NOON + HOUR, message="2")
    await tables.tell("FAILED", NOON, message="3")
    row = await tables.one("SELECT * FROM channel_rates")
    assert row["hour"] == iso(NOON)
    assert (row["sent"], row["delivered"], row["read"]) == (2, 2, 1)
    assert (row["delivery_ratio"], row["read_ratio"], row["read_of_delivered"]) == (1.0, 0.5, 0.5)
    assert row["mature"] is True


async def test_a_message_without_sent_belongs_to_the_hour_of_its_earliest_status(tables: Tables) -> None:
    await tables.tell("READ", NOON)
    await tables.tell("DELIVERED", NOON - 2 * HOUR)
    assert (await tables.one("SELECT * FROM channel_rates"))["hour"] == iso(NOON - 2 * HOUR)


@pytest.mark.parametrize(
    ("kind", "told", "delivery", "reading"),
    [
        ("WHATSAPP", (), 0.0, 0.0),
        ("FACEBOOKMESSENGER", (), 0.0, 0.0),
        ("INSTAGRAM", (), None, 0.0),
        ("INSTAGRAM", ("DELIVERED",), None, 0.0),
        ("IM_TALK", (), None, None),
        ("IM_TALK", ("READ",), None, 1.0),
        ("", ("DELIVERED",), 1.0, None),
    ],
)
async def test_a_ratio_that_the_channel_cannot_report_is_null(
    tables: Tables, kind: str, told: tuple[str, ...], delivery: float | None, reading: float | None
) -> None:
    if kind:
        await tables.add(kind)
    await tables.tell("SENT", NOON)
    for status in told:
        await tables.tell(status, NOON)
    row = await tables.one("SELECT * FROM channel_rates")
    assert (row["delivery_ratio"], row["read_ratio"]) == (delivery, reading)
    assert row["channel_type"] == (kind or "UNKNOWN")


async def test_a_cohort_matures_after_the_time_that_the_channels_readers_take(tables: Tables) -> None:
    now = datetime.now(UTC)
    await tables.tell("SENT", now - 3 * HOUR, message="unread")
    row = await tables.one("SELECT * FROM channel_rates")
    assert row["mature"] is False  # fewer than 100 reads: 24 hours
    for number in range(100):
        await tables.tell("SENT", now - 50 * HOUR, message=f"m{number}")
        await tables.tell("READ", now - 50 * HOUR + timedelta(minutes=1), message=f"m{number}")
    rows = await tables.clickhouse.rows("SELECT * FROM channel_rates")
    assert [row["mature"] for row in rows] == [True, True]


async def test_the_highest_version_of_a_window_holds(tables: Tables) -> None:
    for version in (3, 7, 5):
        window = {"org_id": "9", "channel_id": "7", "window_start": iso(NOON), "sent": version, "version": version}
        await tables.insert("channel_windows_log", {**window, "sent_to_delivered_p50_ms": None})
    row = await tables.one("SELECT * FROM channel_windows")
    assert (row["sent"], row["sent_to_delivered_p50_ms"], row["delivered"]) == (7, None, 0)


async def test_coverage_says_what_a_channel_told_and_when(tables: Tables) -> None:
    await tables.tell("SENT", NOON)
    await tables.tell("READ", NOON + HOUR)
    row = await tables.one("SELECT * FROM coverage")
    assert row["statuses"] == ["READ", "SENT"]
    assert (row["first_heard"], row["last_heard"]) == (iso(NOON), iso(NOON + HOUR))
    assert (row["channel_type"], row["can_report_read"], row["can_report_delivered"]) == ("UNKNOWN", True, False)


async def test_open_messages_are_those_not_read_and_stuck_ones_are_marked(tables: Tables) -> None:
    await tables.add("WHATSAPP")
    for message, statuses in (("a", ["SENT"]), ("b", ["SENT", "DELIVERED"]), ("c", ["SENT", "READ"])):
        for status in statuses:
            await tables.tell(status, NOON, message=message)
    rows = await tables.clickhouse.rows("SELECT * FROM open_messages ORDER BY message_id")
    assert [(row["message_id"], row["status"], row["stuck"]) for row in rows] == [
        ("a", "SENT", True),
        ("b", "DELIVERED", False),
    ]


async def test_an_alert_that_was_resolved_stays_resolved_and_leaves_the_followups(tables: Tables) -> None:
    alert = {"alert_id": "x", "rule": "delivered_not_read", "followup": True, "org_id": "9", "channel_id": "7"}
    alert |= {"session_id": "3", "message_id": "1", "due_time": iso(NOON), "opened_time": iso(NOON)}
    await tables.tell("DELIVERED", NOON)
    await tables.insert("alerts_log", {**alert, "state": "open", "resolved_time": None})
    row = await tables.one("SELECT * FROM followups")
    assert (row["status"], row["delivered_time"]) == ("DELIVERED", iso(NOON))
    await tables.insert("alerts_log", {**alert, "state": "resolved", "resolved_time": iso(NOON + HOUR)})
    await tables.insert("alerts_log", {**alert, "state": "open", "resolved_time": None})
    assert (await tables.one("SELECT * FROM alerts"))["state"] == "resolved"
    assert await tables.clickhouse.rows("SELECT * FROM followups") == []


async def test_a_timeline_names_what_is_missing(tables: Tables) -> None:
    await tables.tell("SENT", NOON)
    await tables.tell("READ", NOON + HOUR)
    (timeline,) = await timelines(tables.clickhouse, "1")
    assert timeline.missing == ["DELIVERED"]
    assert [row["new_status"] for row in timeline.statuses] == ["SENT", "READ"]
    assert await timelines(tables.clickhouse, "2") == []
