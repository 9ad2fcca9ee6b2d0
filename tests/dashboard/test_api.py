"""The read API: as its document says, and the warehouse's own numbers."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import GenerationMode, openapi
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from core.clock import iso
from tests.dashboard.conftest import Filled
from tests.dashboard.data import (
    BIG_ID,
    CHAT,
    HOSTILE,
    HOSTILE_BODY,
    HOUR_MS,
    INSTAGRAM,
    OLD_ORG,
    ORG,
    OTHER_ORG,
    SESSION,
    STUCK,
    WHATSAPP,
)
from tests.dashboard.process import Dashboard
from tests.stack import until

pytestmark = pytest.mark.stack

NOT_OURS = {
    "negative_data_rejection",  # parameters that no one reads are passed over
    "positive_data_acceptance",  # a text may be no cursor, two times no period
}


def get(dashboard: Dashboard, path: str, **params: str) -> Any:
    """Return an answer, asked for again while it is worked out."""
    answer = requests.get(f"{dashboard.url}/api/{path}", params=params, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def overview(dashboard: Dashboard, **params: str) -> Any:
    """Return the overview once its rates are worked out."""

    def ready() -> Any:
        found = get(dashboard, "overview", **params)
        return found if found["rates"]["state"] == "ready" else None

    return until(ready, what="the rates")


def summary(dashboard: Dashboard, channel: str, org: str = ORG) -> Any:
    found = [
        each for each in get(dashboard, "overview", org=org)["channels"] if each["channel"]["channel_id"] == channel
    ]
    assert len(found) == 1
    return found[0]


def test_the_document_is_valid_and_names_every_route(dashboard: Dashboard) -> None:
    document = get(dashboard, "openapi.json")
    validate(document)
    assert {"/api/overview", "/api/stream", "/api/message"} <= document["paths"].keys()


def test_every_answer_is_one_that_the_document_names(dashboard: Dashboard) -> None:
    load_all_checks()
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in NOT_OURS]
    document = openapi.from_url(f"{dashboard.url}/api/openapi.json")
    with requests.Session() as session:
        for result in document.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if operation.path == "/api/stream":
                continue

            @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]))
            @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def answers_as_described(case: Any) -> None:
                case.validate_response(case.call(session=session), checks=checks)

            answers_as_described()


def test_receipts_are_those_of_the_windows(dashboard: Dashboard, filled: Filled) -> None:
    expected = filled.rows(
        "SELECT org_id, channel_id, toInt32(sum(sent)) AS s, toInt32(sum(delivered)) AS d, toInt32(sum(read)) AS r "
        "FROM channel_windows WHERE window_start > now() - INTERVAL 1 DAY GROUP BY org_id, channel_id"
    )
    found = {
        (each["channel"]["org_id"], each["channel"]["channel_id"]): (each["sent"], each["delivered"], each["read"])
        for each in get(dashboard, "overview")["channels"]
    }
    assert len(expected) == 4
    for row in expected:
        assert found[row["org_id"], row["channel_id"]] == (row["s"], row["d"], row["r"])


def test_rates_are_those_of_the_cohorts(dashboard: Dashboard) -> None:
    rates = summary(dashboard, WHATSAPP)["rates"]
    # 160 and 10 messages, the stuck one, and the one that was only read and sent.
    assert (rates["sent"], rates["delivered"], rates["read"]) == (172, 156, 122)
    assert rates["delivery_ratio"] == pytest.approx(156 / 172)
    assert rates["read_ratio"] == pytest.approx(122 / 172)
    cohorts = get(dashboard, "rates", org=ORG, channel=WHATSAPP)["rows"]
    assert sum(cohort["sent"] for cohort in cohorts) == 172
    mature = [cohort for cohort in cohorts if cohort["mature"]]
    assert rates["mature_sent"] == sum(cohort["sent"] for cohort in mature)
    assert 160 <= rates["mature_sent"] < 172
    assert rates["mature_read_ratio"] == pytest.approx(sum(cohort["read"] for cohort in mature) / rates["mature_sent"])


def test_what_a_channel_cannot_report_is_null(dashboard: Dashboard) -> None:
    instagram, chat = summary(dashboard, INSTAGRAM), summary(dashboard, CHAT)
    assert instagram["channel"]["can_report_delivered"] is False
    assert instagram["rates"]["delivery_ratio"] is None
    assert instagram["rates"]["read_ratio"] == pytest.approx(8 / 20)
    assert instagram["rates"]["mature_read_ratio"] is None, "too few reads to know how long readers take: 24 h"
    assert instagram["sent_to_delivered_p50_ms"] is None
    assert instagram["reading"]["sent_to_read_p50_ms"] == 60_000
    assert chat["rates"]["read_ratio"] is None
    assert chat["rates"]["delivery_ratio"] is None


def test_latencies_have_one_percent_of_error(dashboard: Dashboard) -> None:
    found = summary(dashboard, WHATSAPP)
    assert found["sent_to_delivered_p50_ms"] == pytest.approx(2_000, rel=0.01)
    assert found["delivered_to_read_p95_ms"] == pytest.approx(58_000, rel=0.01)


def test_open_alerts_are_counted(dashboard: Dashboard) -> None:
    found = summary(dashboard, WHATSAPP)
    assert (found["open_alerts"], found["open_followups"]) == (1, 1)
    assert summary(dashboard, WHATSAPP, OTHER_ORG)["open_alerts"] == 0


def test_every_alert_that_is_counted_is_in_the_list(dashboard: Dashboard) -> None:
    """However long it has been open; the overview's links ask thus."""
    counted = summary(dashboard, WHATSAPP, OLD_ORG)
    assert (counted["open_alerts"], counted["open_followups"]) == (1, 1)
    asked = {"range": "all", "org": OLD_ORG, "channel": WHATSAPP}
    for followup, rules in (("false", ["stuck_in_sent"]), ("true", ["delivered_not_read"])):
        rows = get(dashboard, "alerts", state="open", followup=followup, **asked)["rows"]
        assert [row["rule"] for row in rows] == rules
    assert len(get(dashboard, "alerts", **asked)["rows"]) == 2
    assert [row["rule"] for row in get(dashboard, "followups", **asked)["rows"]] == ["delivered_not_read"]


def test_one_channel_over_time(dashboard: Dashboard, filled: Filled) -> None:
    found = get(dashboard, "channel", org=ORG, channel=WHATSAPP, tz="Asia/Kathmandu")
    assert found["bucket"] == "hour"
    assert sum(bucket["sent"] for bucket in found["series"]) == 170
    assert all(bucket["start"][14:16] == "15" for bucket in found["series"]), "hours of a zone 5:45 ahead"
    local = filled.rows(
        "SELECT toString(toDayOfWeek(window_start, 0, 'Asia/Kathmandu')) AS d, toString(toHour(window_start, "
        f"'Asia/Kathmandu')) AS h, toString(sum(read)) AS r FROM channel_windows WHERE org_id = '{ORG}' "
        f"AND channel_id = '{WHATSAPP}' AND read > 0 GROUP BY d, h"
    )
    assert {(int(row["d"]), int(row["h"]), int(row["r"])) for row in local} == {
        (cell["weekday"], cell["hour"], cell["reads"]) for cell in found["heat"]
    }
    assert sum(bar["count"] for bar in found["sent_to_delivered"]) == 155
    assert {bar["count"] for bar in found["delivered_to_read"] if bar["from_ms"] == 30_000} == {121}


def test_stuck_messages_come_in_pages(dashboard: Dashboard) -> None:
    whole = get(dashboard, "messages", state="stuck")
    ids = [(row["since"], row["message_id"]) for row in whole["rows"]]
    assert STUCK in [message for _, message in ids]
    assert len(ids) > 3
    assert ids == sorted(ids, reverse=True)
    assert all(row["channel_id"] not in (INSTAGRAM, CHAT) for row in whole["rows"]), "these report no DELIVERED"
    paged: list[tuple[str, str]] = []
    asked = {"state": "stuck", "limit": "4"}
    while "cursor" not in asked or asked["cursor"]:
        page = get(dashboard, "messages", **asked)
        paged.extend((row["since"], row["message_id"]) for row in page["rows"])
        asked["cursor"] = page["next_cursor"] or ""
    assert paged == ids


def test_unread_messages(dashboard: Dashboard) -> None:
    rows = get(dashboard, "messages", state="unread", org=OTHER_ORG)["rows"]
    assert len(rows) == 4
    assert {row["status"] for row in rows} == {"DELIVERED"}
    instagram = get(dashboard, "messages", state="unread", channel=INSTAGRAM)["rows"]
    assert [row["status"] for row in instagram] == ["SENT"] * 12, "it never tells DELIVERED: SENT is as far as it gets"
    assert get(dashboard, "messages", state="unread", channel=CHAT)["rows"] == [], "it tells nothing"
    sent = [row for row in get(dashboard, "messages", state="unread", org=ORG)["rows"] if row["status"] == "SENT"]
    assert {row["channel_id"] for row in sent} == {INSTAGRAM}


def test_a_message_with_all_its_clocks_and_marks(dashboard: Dashboard) -> None:
    (timeline,) = get(dashboard, "message", id=BIG_ID)["rows"]
    assert timeline["state"]["message_id"] == BIG_ID
    assert timeline["state"]["delivered_implied"] is True
    assert [step["new_status"] for step in timeline["steps"]] == ["SENT", "READ"]
    assert timeline["steps"][0]["out_of_order"] is True
    assert timeline["steps"][0]["time_source"] == "event"
    assert timeline["steps"][1]["contradiction"] is True
    assert timeline["steps"][1]["heard_after_ms"] == 300
    assert timeline["missing"] == ["DELIVERED"]
    assert timeline["duplicates"] == 1
    assert timeline["records"] == len(timeline["raw"]) == 3
    assert [alert["rule"] for alert in timeline["alerts"]] == ["delivered_not_read"]
    assert HOSTILE_BODY in [record["body"] for record in timeline["raw"]]


def test_a_session_and_its_own_events(dashboard: Dashboard) -> None:
    journey = get(dashboard, "session", id=SESSION, org=ORG)
    assert BIG_ID in {state["message_id"] for state in journey["messages"]}
    assert [event["event_type"] for event in journey["events"]] == ["IM_Session_Status"]
    times = [step["updated_time"] for step in journey["steps"]]
    assert times == sorted(times)
    assert journey["truncated"] == []


@pytest.mark.parametrize("path", ["message", "session"])
def test_what_is_not_there_is_not_found(dashboard: Dashboard, path: str) -> None:
    answer = requests.get(f"{dashboard.url}/api/{path}", params={"id": "nothing"}, timeout=30)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_search_finds_by_each_kind_of_id(dashboard: Dashboard) -> None:
    assert [(hit["kind"], hit["status"]) for hit in get(dashboard, "search", q=f" {BIG_ID} ")["hits"]] == [
        ("message", "READ")
    ]
    assert {hit["kind"] for hit in get(dashboard, "search", q=SESSION)["hits"]} == {"session"}
    assert {hit["org_id"] for hit in get(dashboard, "search", q=WHATSAPP)["hits"]} == {ORG, OTHER_ORG, OLD_ORG}
    assert get(dashboard, "search", q="nothing")["hits"] == []


@pytest.mark.parametrize("wanted", [HOSTILE, "a\tb\nc", "\\", "'; DROP TABLE x --", "{id:String}", "\0"])
def test_any_text_is_only_a_text(dashboard: Dashboard, wanted: str) -> None:
    hits = get(dashboard, "search", q=wanted)["hits"]
    assert [hit["id"] for hit in hits if hit["kind"] == "message"] == ([HOSTILE] if wanted == HOSTILE else [])


def test_alerts_and_followups(dashboard: Dashboard) -> None:
    assert len(get(dashboard, "alerts")["rows"]) == 3
    assert [row["message_id"] for row in get(dashboard, "alerts", state="open", rule="stuck_in_sent")["rows"]] == [
        STUCK
    ]
    (followup,) = get(dashboard, "followups")["rows"]
    assert (followup["message_id"], followup["status"]) == (BIG_ID, "READ")


def test_dead_letters(dashboard: Dashboard) -> None:
    (letter,) = get(dashboard, "dead", stage="ingress")["rows"]
    assert (letter["id"], letter["body"], letter["detail"]) == ("1-7", HOSTILE_BODY, HOSTILE)
    assert get(dashboard, "dead", id="1-7", range="1h")["rows"] == [letter]
    assert get(dashboard, "dead", state="redriven")["rows"] == []


def test_health_tells_lags_channels_and_dead_letters(dashboard: Dashboard) -> None:
    found = get(dashboard, "health")
    assert (found["warehouse"], found["kafka"]) == ("", "")
    assert found["flow"] is not None
    assert {(row["stage"], row["reason"], row["count"]) for row in found["dead"]} == {("ingress", "not_json", 1)}
    assert {WHATSAPP, INSTAGRAM, CHAT, HOSTILE} == {channel["channel_id"] for channel in found["channels"]}


def test_csv_has_every_row_and_no_formula(dashboard: Dashboard, filled: Filled) -> None:
    rows = filled.rows_made
    rows.add(
        "dead_letters_log",
        stage="processor",
        reason="=HYPERLINK(1)",
        detail='a,b\n"c"',
        failed_at=iso(rows.now - HOUR_MS),
        body="x",
        dead_partition=2,
        dead_offset=1,
    )
    filled.send()
    answer = requests.get(f"{dashboard.url}/api/dead", params={"format": "csv", "stage": "processor"}, timeout=30)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dead.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["reason"] == "'=HYPERLINK(1)"
    assert row["detail"] == 'a,b\n"c"'


def test_a_bad_parameter_says_what_to_write(dashboard: Dashboard) -> None:
    answer = requests.get(f"{dashboard.url}/api/overview", params={"range": "2h"}, timeout=10)
    assert answer.status_code == 400
    assert "Choose one of 1h, 6h, 24h" in answer.json()["error"]["message"]


def test_followups_are_those_of_the_view_page_by_page(dashboard: Dashboard, filled: Filled) -> None:
    """Two rules on one message, and messages that nothing else is known of."""
    for message in ("f1", "f2", "f3"):
        for rule in ("first", "second"):
            filled.rows_made.alert(message, rule, "open", followup=True, org="followed")
    filled.rows_made.tell("f2", "SENT", filled.rows_made.now - HOUR_MS, org="followed")
    filled.send()
    shown = filled.rows("SELECT * FROM followups WHERE org_id = 'followed' ORDER BY due_time DESC, alert_id DESC")
    expected = [(row["alert_id"], row["status"]) for row in shown]
    assert len(expected) == 6
    found: list[tuple[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(dashboard, "followups", org="followed", limit="1", **({"cursor": cursor} if cursor else {}))
        found += [(row["alert_id"], row["status"]) for row in page["rows"]]
        cursor = page["next_cursor"]
    assert found == expected


@pytest.mark.parametrize("path", ["messages", "overview"])
def test_a_long_period_has_what_a_short_one_has(dashboard: Dashboard, path: str) -> None:
    """Everything here is of the last hours: only how it is looked up differs."""

    def told(period: str) -> Any:
        if path == "messages":
            return [row["message_id"] for row in get(dashboard, path, range=period, state="open", org=ORG)["rows"]]
        return {
            each["channel"]["channel_id"]: each["reading"] for each in overview(dashboard, range=period)["channels"]
        }

    assert told("24h") == told("30d")
    assert told("24h")
