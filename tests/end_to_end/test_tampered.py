"""The ledger names exactly what somebody took away or added. The last of the tests on that chain: it spoils it."""

from __future__ import annotations

import pytest

from tests.end_to_end.apart import audit, named, row, sql, where
from tests.stack import Up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_whatever_is_taken_away_or_added_is_named(apart: Up) -> None:
    gone = row(apart, "SELECT raw_partition, raw_offset FROM raw_events WHERE event_type = 'IM_Message_Add'")
    sql(apart, f"ALTER TABLE raw_events_log DELETE WHERE {where(gone)}")
    code, found = audit(apart)
    assert code == 1
    place = {"topic": "im.events.raw", "partition": gone["raw_partition"], "offset": int(gone["raw_offset"])}
    assert named(found) == [("kafka", place)]

    lost = row(
        apart, "SELECT raw_partition, raw_offset, message_id, new_status FROM transitions WHERE new_status = 'READ'"
    )
    sql(apart, f"ALTER TABLE transitions_log DELETE WHERE {where(lost)}")
    checks = dict(named(audit(apart)[1]))
    assert checks.keys() == {"kafka", "not_applied", "windows"}
    assert (checks["not_applied"]["message_id"], checks["not_applied"]["status"]) == (lost["message_id"], "READ")

    columns = "org_id, message_id, new_status, updated_time, received_time, time_source, raw_partition, raw_offset"
    values = "'1', 'nobody', 'SENT', now64(3), now64(3), 'updated', 0, 999999"
    sql(apart, f"INSERT INTO transitions_log ({columns}) VALUES ({values})")
    checks = dict(named(audit(apart)[1]))
    assert checks["not_told"]["message_id"] == "nobody"

    # Times in another zone than Z are left to the check of the sums.
    plain = "NOT match(JSONExtractString(body, 'payload', 'messageNewStatus', 'updatedTime'), '[+-][0-9:]{4,5}$')"
    window = row(
        apart,
        "SELECT org_id, channel_id, window_start, duplicates FROM channel_windows WHERE duplicates > 0 AND channel_id "
        f"IN (SELECT channel_id FROM raw_events GROUP BY channel_id HAVING min({plain}))",
    )
    more = "* REPLACE (duplicates + 1 AS duplicates, version + 1 AS version)"
    here = f"channel_id = '{window['channel_id']}' AND window_start = '{window['window_start']}'"
    sql(apart, f"INSERT INTO channel_windows_log SELECT {more} FROM channel_windows_log FINAL WHERE {here}")
    found = audit(apart)[1]
    receipts = [each for check, each in named(found) if check == "receipts"]
    assert (receipts[0]["org_id"], receipts[0]["channel_id"]) == (window["org_id"], window["channel_id"])
    told = [each for check, each in named(found) if check == "windows"]
    count = int(window["duplicates"])
    assert ([f"duplicates {count}"], [f"duplicates {count + 1}"]) in [
        (each["expected"], each["found"]) for each in told
    ]

    letter = row(apart, "SELECT dead_partition, dead_offset FROM dead_letters")
    here = f"dead_partition = {letter['dead_partition']} AND dead_offset = {letter['dead_offset']}"
    sql(apart, f"ALTER TABLE dead_letters_log DELETE WHERE {here}")
    places = [each for check, each in named(audit(apart)[1]) if check == "kafka"]
    assert {
        "topic": "im.events.dead",
        "partition": letter["dead_partition"],
        "offset": int(letter["dead_offset"]),
    } in places
