"""The ledger names exactly what somebody took away or added. The last of the tests on that chain: it spoils it."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.apart import audit, named, row, sql, told_by_the_sink, where
from tests.stack import Up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


async def test_whatever_is_taken_away_or_added_is_named(apart: Up) -> None:
    gone = row(apart, "SELECT raw_partition, raw_offset FROM raw_events WHERE event_type = 'IM_Message_Add'")
    sql(apart, f"ALTER TABLE raw_events_log DELETE WHERE {where(gone)}")
    known = "new_status = 'READ' AND updated_time > received_time - INTERVAL 1 DAY AND updated_time <= received_time"
    lost = row(apart, f"SELECT raw_partition, raw_offset, message_id, new_status FROM transitions WHERE {known}")
    sql(apart, f"ALTER TABLE transitions_log DELETE WHERE {where(lost)}")
    columns = "org_id, message_id, new_status, updated_time, received_time, time_source, raw_partition, raw_offset"
    values = "'1', 'nobody', 'SENT', now64(3), now64(3), 'updated', 0, 999999"
    sql(apart, f"INSERT INTO transitions_log ({columns}) VALUES ({values})")
    window = row(apart, "SELECT org_id, channel_id, window_start FROM channel_windows WHERE duplicates > 0")
    more = "* REPLACE (duplicates + 1 AS duplicates, version + 1 AS version)"
    here = f"channel_id = '{window['channel_id']}' AND window_start = '{window['window_start']}'"
    sql(apart, f"INSERT INTO channel_windows_log SELECT {more} FROM channel_windows_log FINAL WHERE {here}")
    letter = row(apart, "SELECT dead_partition, dead_offset FROM dead_letters")
    here = f"dead_partition = {letter['dead_partition']} AND dead_offset = {letter['dead_offset']}"
    sql(apart, f"ALTER TABLE dead_letters_log DELETE WHERE {here}")

    code, found = audit(apart)
    assert code == 1
    rows = {check: [each for name, each in named(found) if name == check] for check, _ in named(found)}
    assert [(each["topic"], each["partition"], each["offset"]) for each in rows["kafka"]] == [
        ("im.events.raw", gone["raw_partition"], int(gone["raw_offset"])),
        ("im.events.dead", letter["dead_partition"], int(letter["dead_offset"])),
    ]
    assert {(each["message_id"], each["status"]) for each in rows["not_applied"]} == {(lost["message_id"], "READ")}
    assert [each["message_id"] for each in rows["not_told"]] == ["nobody"]
    assert [(each["org_id"], each["channel_id"]) for each in rows["receipts"]] == [
        (window["org_id"], window["channel_id"])
    ]
    assert any(each["found"][0].startswith("read ") for each in rows["windows"])
    # All but the sums of whole channels, which an audit of the last day cannot judge.
    assert await told_by_the_sink(apart) == len(found["differences"]) - len(rows["receipts"])
    kept = row(apart, "SELECT differences FROM audits ORDER BY audit_time DESC")["differences"]
    assert "nobody" in [json.loads(each["row"]).get("message_id") for each in kept if each["check"] == "not_told"]
