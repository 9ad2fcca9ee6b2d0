"""The ledger balances on a real chain, and names exactly what somebody took away or added."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from core.clock import now_ms
from sandbox.simulator import Traffic, calls, events
from tests.stack import Up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

BROKEN = b'[{"eventType":"IM_Message_Status","orgId":"1","payload":{"messageId":5}},7]'


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a chain of our own with some traffic: what we do to its tables must disturb nobody else."""
    with Up(tmp_path_factory.mktemp("ledger")) as stack:
        traffic = Traffic(now_ms=now_ms(), messages=400, seed=3, broken=2)
        for call in calls(events(traffic)):
            post(stack, call.body)
        post(stack, BROKEN)
        yield stack


def post(up: Up, body: bytes) -> dict[str, int]:
    with urllib.request.urlopen(f"{up.ingest}/webhooks/zoho-desk", data=body, timeout=10) as answer:
        found: dict[str, int] = json.loads(answer.read())
        return found


def sql(up: Up, text: str) -> str:
    query = urllib.parse.urlencode({"database": "receipts", "mutations_sync": "2"})
    with urllib.request.urlopen(f"{up.clickhouse}/?{query}", data=text.encode(), timeout=60) as answer:
        return str(answer.read().decode())


def row(up: Up, text: str) -> dict[str, Any]:
    """Return the first row of a query."""
    found: dict[str, Any] = json.loads(sql(up, f"{text} LIMIT 1 FORMAT JSONEachRow"))
    return found


def audit(up: Up, *options: str) -> tuple[int, dict[str, Any]]:
    done = up.receipts("audit", "--json", *options, timeout=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def named(found: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(each["check"], each["row"]) for each in found["differences"]]


def test_the_ledger_of_an_undisturbed_chain_balances(up: Up) -> None:
    code, found = audit(up)
    assert named(found) == []
    assert (code, found["balanced"], found["under_way"]) == (0, True, 0)
    totals = found["totals"]
    assert totals["raw"] == totals["applied"] + totals["duplicate"] + totals["parked"] + totals["other"] > 0
    assert totals["duplicate"] > 0
    assert totals["raw"] == int(sql(up, "SELECT count() FROM raw_events"))
    assert totals["applied"] == int(sql(up, "SELECT count() FROM transitions"))


def test_a_range_of_time_holds_by_itself_and_an_empty_one_too(up: Up) -> None:
    code, found = audit(up, "--since", "2001-01-01", "--until", "2001-01-02T00:00:00Z")
    assert (code, found["entries"], found["totals"]["raw"]) == (0, [], 0)
    middle = row(up, "SELECT quantileExact(0.5)(received_time) AS at FROM raw_events")["at"].replace(" ", "T")
    first, second = audit(up, "--until", middle), audit(up, "--since", middle)
    assert (first[0], second[0]) == (0, 0)
    whole = audit(up)[1]["totals"]
    assert {name: first[1]["totals"][name] + second[1]["totals"][name] for name in whole} == whole


def test_a_time_that_is_none_is_a_usage_error(up: Up) -> None:
    done = up.receipts("audit", "--since", "yesterday")
    assert done.returncode == 2
    assert "no ISO time" in done.stderr


def test_a_table_that_says_so_prints_the_sums(up: Up) -> None:
    done = up.receipts("audit")
    assert done.returncode == 0
    assert "balanced" in done.stdout
    assert " duplicate + " in done.stdout


def test_whatever_is_taken_away_or_added_is_named(up: Up) -> None:
    gone = row(up, "SELECT raw_partition, raw_offset FROM raw_events WHERE event_type = 'IM_Message_Add'")
    sql(up, f"ALTER TABLE raw_events_log DELETE WHERE {where(gone)}")
    code, found = audit(up)
    assert code == 1
    place = {"topic": "im.events.raw", "partition": gone["raw_partition"], "offset": int(gone["raw_offset"])}
    assert named(found) == [("kafka", place)]

    lost = row(
        up, "SELECT raw_partition, raw_offset, message_id, new_status FROM transitions WHERE new_status = 'READ'"
    )
    sql(up, f"ALTER TABLE transitions_log DELETE WHERE {where(lost)}")
    checks = dict(named(audit(up)[1]))
    assert checks.keys() == {"kafka", "not_applied", "windows"}
    assert (checks["not_applied"]["message_id"], checks["not_applied"]["status"]) == (lost["message_id"], "READ")

    columns = "org_id, message_id, new_status, updated_time, received_time, time_source, raw_partition, raw_offset"
    values = "'1', 'nobody', 'SENT', now64(3), now64(3), 'updated', 0, 999999"
    sql(up, f"INSERT INTO transitions_log ({columns}) VALUES ({values})")
    checks = dict(named(audit(up)[1]))
    assert checks["not_told"]["message_id"] == "nobody"

    window = row(up, "SELECT org_id, channel_id, window_start, version FROM channel_windows WHERE duplicates > 0")
    more = "* REPLACE (duplicates + 1 AS duplicates, version + 1 AS version)"
    here = f"channel_id = '{window['channel_id']}' AND window_start = '{window['window_start']}'"
    sql(up, f"INSERT INTO channel_windows_log SELECT {more} FROM channel_windows_log WHERE {here}")
    receipts = [each for check, each in named(audit(up)[1]) if check == "receipts"]
    assert (receipts[0]["org_id"], receipts[0]["channel_id"]) == (window["org_id"], window["channel_id"])

    letter = row(up, "SELECT dead_partition, dead_offset FROM dead_letters")
    here = f"dead_partition = {letter['dead_partition']} AND dead_offset = {letter['dead_offset']}"
    sql(up, f"ALTER TABLE dead_letters_log DELETE WHERE {here}")
    places = [each for check, each in named(audit(up)[1]) if check == "kafka"]
    assert {
        "topic": "im.events.dead",
        "partition": letter["dead_partition"],
        "offset": int(letter["dead_offset"]),
    } in places


def where(place: dict[str, Any]) -> str:
    return f"raw_partition = {place['raw_partition']} AND raw_offset = {place['raw_offset']}"
