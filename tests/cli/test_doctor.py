"""`receipts doctor` on the whole stack, as a user runs it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from core.clock import iso, now_ms
from tests.stack import Up, run, until

pytestmark = pytest.mark.stack

ORG = "770077"


def post(up: Up, body: object, path: str = "/webhooks/zoho-desk") -> int:
    """Post a body as JSON and return the status of the answer."""
    request = urllib.request.Request(f"{up.ingest}{path}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def receipt(status: str, message: int) -> dict[str, Any]:
    told = {"status": status, "updatedTime": iso(now_ms())}
    payload = {"messageId": message, "channelId": 41, "sessionId": 1, "messageNewStatus": told}
    return {"eventType": "IM_Message_Status", "orgId": ORG, "payload": payload}


def examine(up: Up) -> dict[str, Any]:
    """Return what the doctor says as JSON; its exit code must agree."""
    done = up.receipts("doctor", "--json")
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return found


def test_what_is_wrong_is_found_named_and_answered_with_what_to_do(stack: Up) -> None:
    assert post(stack, [receipt("SENT", 1), receipt("READ", 1), receipt("READ", 2), {"orgId": ORG}]) == 200
    assert post(stack, [receipt("SENT", 3)], "/webhooks/zoho-desk/guess") == 404

    def settled() -> dict[str, Any]:
        found = examine(stack)
        gaps = [each for each in found["findings"] if each["code"] == "gaps" and each["org_id"] == ORG]
        letters = [each for each in found["findings"] if each["code"] == "dead_letters"]
        # The second message's SENT; DELIVERED is not known to be reported by a channel of unknown type.
        return found if gaps and gaps[0]["count"] == 1 and letters else {}

    found = until(settled, within_s=30, what="the doctor's findings")
    assert found["ok"] is False
    assert {part["error"] for part in found["parts"].values()} == {None}
    (channel,) = [channel for channel in found["channels"] if channel["org_id"] == ORG]
    assert channel["channel_id"] == "41"
    assert set(channel["statuses"]) == {"SENT", "READ"}
    assert channel["last_heard"] <= found["checked_at"]
    (org,) = [org for org in found["orgs"] if org["org_id"] == ORG]
    assert (org["status_events"], org["message_events"]) == (3, 0)
    assert ORG in found["ingress"]["last_event"]
    codes = {finding["code"] for finding in found["findings"]}
    assert codes >= {"gaps", "dead_letters", "wrong_secret", "no_message_events"}
    assert all(finding["fix"] for finding in found["findings"])

    done = stack.receipts("doctor")
    assert done.returncode == 1
    for text in ("Why are no events coming?", "Why is the data incomplete?", "wrong_secret", "receipts dead list", ORG):
        assert text in done.stdout


def test_parts_that_do_not_answer_are_named(tmp_path: Path) -> None:
    away = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "CLICKHOUSE_URL": "http://127.0.0.1:1", "INGEST_PORT": "1"}
    done = run("doctor", "--json", "--state-dir", str(tmp_path), environ=away)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert all(part["error"] for part in found["parts"].values())
    assert {finding["code"] for finding in found["findings"]} == {
        "ingress_unreachable",
        "kafka_unreachable",
        "clickhouse_unreachable",
    }


def test_a_wrong_option_is_an_error_of_usage() -> None:
    assert run("doctor", "--days", "0").returncode == 2
