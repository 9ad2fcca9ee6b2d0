"""The ledger: every record once, with the fate that the warehouse tells."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import requests

from core.clock import iso
from dashboard.ledger import totals
from tests.dashboard.conftest import Filled
from tests.dashboard.data import HOSTILE_BODY, HOUR_MS, ORG, OTHER_ORG, WHATSAPP
from tests.dashboard.process import Dashboard

pytestmark = pytest.mark.stack

FATES = ("applied", "duplicate", "parked", "other")


def get(dashboard: Dashboard, **params: str) -> Any:
    answer = requests.get(f"{dashboard.url}/api/ledger", params=params, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_nothing_received_adds_up() -> None:
    found = totals([])
    assert (found.raw, found.adds_up) == (0, True)


def test_sums_that_do_not_add_up_say_so() -> None:
    row = {"all_raw": "9007199254740993", "all_applied": "9007199254740992"}
    row |= dict.fromkeys(("all_duplicate", "all_parked", "all_other"), "0")
    assert totals([row]).adds_up is False


def test_every_record_is_there_once(dashboard: Dashboard, filled: Filled) -> None:
    found = get(dashboard)
    (stored,) = filled.rows(
        "SELECT toInt32(count()) AS raw, toInt32((SELECT count() FROM transitions)) AS applied FROM raw_events"
    )
    assert (found["totals"]["raw"], found["totals"]["applied"]) == (stored["raw"], stored["applied"])
    # BIG_ID's second READ; the creations of messages, and the session's end.
    assert (found["totals"]["duplicate"], found["totals"]["parked"], found["totals"]["other"]) == (1, 0, 5)
    assert found["totals"]["adds_up"] is True
    for name in ("raw", *FATES):
        assert sum(row[name] for row in found["rows"]) == found["totals"][name]
    assert all(row["adds_up"] and row["raw"] == sum(row[name] for name in FATES) for row in found["rows"])


def test_pages_tell_the_sums_of_the_whole(dashboard: Dashboard) -> None:
    whole = get(dashboard, org=ORG)
    rows: list[Any] = []
    cursor = ""
    while True:
        page = get(dashboard, org=ORG, limit="2", **({"cursor": cursor} if cursor else {}))
        assert page["totals"] == whole["totals"]
        rows += page["rows"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert rows == whole["rows"]
    assert rows == sorted(rows, key=lambda row: (row["hour"], row["org_id"], row["channel_id"]), reverse=True)


def test_a_channel_and_a_period_narrow_it(dashboard: Dashboard, filled: Filled) -> None:
    assert {row["org_id"] for row in get(dashboard, org=OTHER_ORG)["rows"]} == {OTHER_ORG}
    now = filled.rows_made.now
    period = {"from": iso(now - 4 * HOUR_MS), "to": iso(now - 2 * HOUR_MS)}
    (counted,) = filled.rows(
        f"SELECT toInt32(count()) AS n FROM raw_events WHERE channel_id = '{WHATSAPP}' "
        f"AND received_time >= parseDateTime64BestEffort('{period['from']}', 3, 'UTC') "
        f"AND received_time < parseDateTime64BestEffort('{period['to']}', 3, 'UTC')"
    )
    found = get(dashboard, channel=WHATSAPP, **period)
    assert found["totals"]["raw"] == counted["n"] > 0
    assert (found["start"], found["end"]) == (period["from"], period["to"])


def test_the_last_audit_is_told_with_the_rows_it_named(dashboard: Dashboard) -> None:
    audit = get(dashboard)["audit"]
    assert audit["balanced"] is False
    assert [(each["check"], each["row"]) for each in audit["differences"]] == [("not_told", HOSTILE_BODY)]


def test_it_comes_as_csv_too(dashboard: Dashboard) -> None:
    answer = requests.get(f"{dashboard.url}/api/ledger", params={"format": "csv", "org": ORG}, timeout=30)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ledger.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert sum(int(row["raw"]) for row in rows) == get(dashboard, org=ORG)["totals"]["raw"]
