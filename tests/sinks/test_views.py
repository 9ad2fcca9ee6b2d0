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


async def test_a_token_seen_before_swallows_nothing(tables: Tables) -> None:
    # ClickHouse may have kept the token of an insert whose rows it lost when it died: the retry must store them.
    for offset in range(2):
        row = {"org_id": "9", "message_id": "7", "received_time": iso(NOON), "raw_partition": 0, "raw_offset": offset}
        await tables.clickhouse.insert("raw_events_log", orjson.dumps(row), token="one")
    assert (await tables.one("SELECT count() AS number FROM raw_events"))["number"] in {2, "2"}
    settings = await tables.clickhouse.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_log'"
        " AND create_table_query NOT LIKE '%non_replicated_deduplication_window = 0%'"
    )
    assert settings == []


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


async def test_negative_times_to_read_make_no_cohort_mature(tables: Tables) -> None:
    now = datetime.now(UTC)
    for number in range(100):
        await tables.tell("SENT", now - 3 * HOUR, message=f"m{number}")
        await tables.tell("READ", now - 3 * HOUR - timedelta(seconds=1), message=f"m{number}")
    assert (await tables.one("SELECT mature FROM channel_rates"))["mature"] is False


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


async def test_an_alert_whose_due_time_moves_to_another_week_is_one(tables: Tables) -> None:
    sunday, monday = NOON + timedelta(days=3), NOON + timedelta(days=4)
    alert = {"alert_id": "x", "rule": "delivered_not_read", "followup": True, "org_id": "9", "channel_id": "7"}
    alert |= {"session_id": "3", "message_id": "1", "opened_time": iso(NOON)}
    await tables.tell("DELIVERED", NOON)
    await tables.insert("alerts_log", {**alert, "state": "open", "due_time": iso(monday), "resolved_time": None})
    resolved = {**alert, "state": "resolved", "due_time": iso(sunday), "resolved_time": iso(sunday)}
    await tables.insert("alerts_log", resolved)
    row = await tables.one("SELECT state, due_time FROM alerts")
    assert row == {"state": "resolved", "due_time": iso(sunday)}
    assert await tables.clickhouse.rows("SELECT * FROM followups") == []
    # Also where a reader asks for the week of the row that no longer holds.
    asked = "SELECT * FROM alerts WHERE due_time >= parseDateTime64BestEffort({since:String}, 3, 'UTC')"
    assert await tables.clickhouse.rows(asked, {"since": iso(monday - HOUR)}) == []


async def test_a_timeline_names_what_is_missing(tables: Tables) -> None:
    await tables.tell("SENT", NOON)
    await tables.tell("READ", NOON + HOUR)
    (timeline,) = await timelines(tables.clickhouse, "1")
    assert timeline.missing == ["DELIVERED"]
    assert [row["new_status"] for row in timeline.statuses] == ["SENT", "READ"]
    assert await timelines(tables.clickhouse, "2") == []


async def test_what_was_told_first_holds_in_parts_merged_or_not(tables: Tables) -> None:
    await tables.clickhouse.command("SYSTEM STOP MERGES message_state_log")
    await tables.tell("DELIVERED", NOON + HOUR, raw_offset=40, channel_id="later", session_id="later")
    await tables.tell("SENT", NOON, raw_offset=300, channel_id="last")
    await tables.tell("DELIVERED", NOON, raw_offset=9, channel_id="first", session_id="first")
    told = "SELECT channel_id, session_id, status, delivered_time, sent_time FROM message_state"
    expected = {"channel_id": "first", "session_id": "first", "status": "DELIVERED"}
    expected |= {"delivered_time": iso(NOON), "sent_time": iso(NOON)}
    assert await tables.one(told) == expected
    assert await tables.one("SELECT channel_id FROM message_state") == {"channel_id": "first"}
    await tables.clickhouse.command("SYSTEM START MERGES message_state_log")
    await tables.clickhouse.command("OPTIMIZE TABLE message_state_log FINAL")
    assert await tables.one(told) == expected


async def test_conditions_see_what_holds_and_never_what_it_replaced(tables: Tables) -> None:
    for table in ("transitions_log", "message_state_log"):
        await tables.clickhouse.command(f"SYSTEM STOP MERGES {table}")
    await tables.tell("SENT", NOON + HOUR, raw_offset=40, channel_id="later")
    await tables.tell("SENT", NOON, raw_offset=9, channel_id="first")
    for view in ("transitions", "message_state"):
        named = f"SELECT channel_id FROM {view} WHERE (org_id, message_id) IN (SELECT '9', '1')"
        assert await tables.clickhouse.rows(f"{named} AND channel_id = 'later'") == []
        assert await tables.clickhouse.rows(named) == [{"channel_id": "first"}]
    told = "SELECT updated_time FROM transitions WHERE new_status = 'SENT' AND message_id = '1'"
    assert await tables.clickhouse.rows(told) == [{"updated_time": iso(NOON)}]
    assert await tables.clickhouse.rows(f"{told} AND raw_offset = 40") == []


async def test_what_waits_is_counted_by_age_as_the_list_of_it_has_it(tables: Tables) -> None:
    await tables.add("WHATSAPP")
    await tables.add("INSTAGRAM", channel="8")
    now = datetime.now(UTC)
    ages = [timedelta(minutes=14), timedelta(minutes=16), HOUR * 2, HOUR * 7, timedelta(days=2), timedelta(days=20000)]
    for channel in ("7", "8"):
        for number, age in enumerate(ages):
            await tables.tell("SENT", now - age, message=f"{channel}-{number}", channel_id=channel)
            await tables.tell("SENT", now - age, message=f"{channel}-{number}-arrived", channel_id=channel)
            arrived = now - age / 2
            await tables.tell("DELIVERED", arrived, message=f"{channel}-{number}-arrived", channel_id=channel)
    await tables.tell("READ", now, message="7-0")
    listed = await tables.clickhouse.rows("""
        SELECT channel_id, channel_type, status, toUInt8(stuck) AS stuck, min(since) AS oldest, count() AS messages,
            multiIf(age_seconds < 900, 'under 15 min', age_seconds < 3600, '15 min to 1 h',
                age_seconds < 21600, '1 h to 6 h', age_seconds < 86400, '6 h to 24 h',
                age_seconds < 604800, '1 to 7 days', 'over 7 days') AS age
        FROM open_messages GROUP BY channel_id, channel_type, status, stuck, age ORDER BY channel_id, status, age
    """)
    counted = await tables.clickhouse.rows("""
        SELECT channel_id, channel_type, status, if(stuck > 0, 1, 0) AS stuck, oldest, messages, age
        FROM open_by_age ORDER BY channel_id, status, age
    """)
    assert counted == listed
    assert {row["age"]: row["stuck"] for row in counted if (row["channel_id"], row["status"]) == ("7", "SENT")} == {
        "15 min to 1 h": 1,
        "1 h to 6 h": 1,
        "6 h to 24 h": 1,
        "1 to 7 days": 1,
        "over 7 days": 1,
    }
    assert {row["stuck"] for row in counted if row["channel_id"] == "8"} == {0}


async def test_times_before_1970_are_times(tables: Tables) -> None:
    await tables.tell("READ", datetime(1969, 12, 31, 23, 30, tzinfo=UTC))
    assert (await tables.one("SELECT read_time FROM message_state"))["read_time"] == "1969-12-31T23:30:00.000Z"
    assert (await tables.one("SELECT hour FROM channel_rates"))["hour"] == "1969-12-31T23:00:00.000Z"


async def test_time_to_deliver_leaves_negative_times_out(tables: Tables) -> None:
    for message, after in (("a", 10), ("b", -10)):
        await tables.tell("SENT", NOON, message=message)
        await tables.tell("DELIVERED", NOON + timedelta(seconds=after), message=message)
    rows = await tables.clickhouse.rows("SELECT * FROM time_to_deliver ORDER BY hour")
    assert [(row["hour"], row["deliveries"], row["sent_to_delivered_p50_ms"]) for row in rows] == [
        (iso(NOON - HOUR), 1, None),
        (iso(NOON), 1, 10_000),
    ]


async def test_a_journey_has_the_steps_of_its_session_in_order(tables: Tables) -> None:
    await tables.tell("READ", NOON + 2 * HOUR, message="a")
    await tables.tell("SENT", NOON, message="a")
    await tables.tell("SENT", NOON + HOUR, message="b")
    row = await tables.one("SELECT * FROM journeys")
    assert (row["session_id"], row["messages"], row["delivered"], row["read"]) == ("3", 2, 1, 1)
    assert [list(step.values())[1:] if isinstance(step, dict) else step[1:] for step in row["steps"]] == [
        ["a", "SENT"],
        ["b", "SENT"],
        ["a", "READ"],
    ]


async def test_gaps_count_what_a_channel_could_have_told(tables: Tables) -> None:
    await tables.add("WHATSAPP")
    await tables.tell("READ", NOON)
    row = await tables.one("SELECT * FROM gaps")
    assert (row["messages"], row["sent_missing"], row["delivered_missing"]) == (1, 1, 1)


async def test_contradictions_are_those_receipts_that_say_so(tables: Tables) -> None:
    await tables.tell("SENT", NOON, contradiction=True, old_status="READ")
    await tables.tell("DELIVERED", NOON)
    assert (await tables.one("SELECT * FROM contradictions"))["old_status"] == "READ"


async def test_an_outage_is_a_silent_hour_among_days_that_spoke(tables: Tables) -> None:
    silent = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    for day in range(8):
        hours = [silent - day * 24 * HOUR + offset * HOUR for offset in ((0,) if day else (-1,))]
        for hour in hours:
            window = {"org_id": "9", "channel_id": "7", "window_start": iso(hour), "read": 1, "version": 1}
            await tables.insert("channel_windows_log", window)
    row = await tables.one("SELECT * FROM outages")
    assert row["hour"] == iso(silent)


async def test_channels_are_unknown_until_told_and_listed_ones_are_there(tables: Tables) -> None:
    await tables.tell("SENT", NOON)
    listed = {"org_id": "9", "channel_id": "8", "channel_type": "LINE", "name": "Shop", "changed_time": iso(NOON)}
    await tables.insert("channels_log", listed)
    rows = await tables.clickhouse.rows("SELECT channel_id, type, name FROM channels ORDER BY channel_id")
    assert [tuple(row.values()) for row in rows] == [("7", "UNKNOWN", ""), ("8", "LINE", "Shop")]


async def test_what_events_tell_of_a_type_holds_over_what_was_listed(tables: Tables) -> None:
    listed = {"org_id": "9", "channel_id": "7", "channel_type": "INSTAGRAM", "changed_time": iso(NOON)}
    await tables.insert("channels_log", listed)
    await tables.tell("SENT", NOON)
    assert (await tables.one("SELECT channel_type FROM coverage"))["channel_type"] == "INSTAGRAM"
    await tables.add("WHATSAPP")
    assert (await tables.one("SELECT channel_type FROM coverage"))["channel_type"] == "WHATSAPP"
    assert (await tables.one("SELECT type FROM channels"))["type"] == "WHATSAPP"
