"""From a webhook to a person: contradictory receipts break a channel rule, and a destination hears of it."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.clock import now_ms
from schemas.times import to_iso
from tests.notifier.places import SECRET, receiving
from tests.notifier.test_role import eventually
from tests.sandbox.role import Role
from tests.stack import Up

RULES = """
channel_rules_every = "1s"
[[channel_rule]]
name = "contradicted"
kind = "contradictions_above"
bound = 0.1
min_messages = 5
orgs = ["{org}"]
"""


def event(org: str, number: int) -> dict[str, Any]:
    return {
        "eventType": "IM_Message_Status",
        "eventTime": str(now_ms()),
        "orgId": org,
        "payload": {
            "messageId": f"{number}",
            "sessionId": "3",
            "channelId": "77",
            # A message that was read cannot be sent then.
            "messageOldStatus": "READ",
            "messageNewStatus": {"status": "SENT", "updatedTime": to_iso(now_ms())},
        },
    }


@pytest.mark.stack
async def test_a_broken_channel_rule_reaches_its_destination_and_the_list_of_alerts(stack: Up, tmp_path: Path) -> None:
    org = f"chain{uuid4().hex[:8]}"
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.format(org=org))
    async with receiving() as receiver:
        environ = {
            **stack.variables,
            "RULES_FILE": str(rules),
            "NOTIFY_URL": receiver.url,
            "NOTIFY_SECRET": SECRET,
            "NOTIFY_ALLOW_PRIVATE": "true",
        }
        with Role("notifier", tmp_path / "notifier", environ) as role:
            await eventually(lambda: '"new":4' in role.log, f"the assignment: {role.log}")
            body = json.dumps([event(org, number) for number in range(6)]).encode()
            url = f"{stack.ingest}/webhooks/zoho-desk"
            request = urllib.request.Request(url, data=body)
            with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
                assert json.load(answer) == {"accepted": 6, "parked": 0}
            await eventually(lambda: receiver.got, f"the alert: {role.log}")
    (told,) = receiver.got[0].alerts
    assert told["rule"] == "contradicted"
    assert told["org_id"] == org
    assert told["detail"] == "6 of 6 receipts contradict (100 %)"
    assert told["text"] == "Channel 77 has contradictions in more than 10 % of receipts within 1 h"

    def listed() -> list[dict[str, Any]]:
        return list(json.loads(stack.receipts("alerts", "list", "--org", org, "--json").stdout))

    rows: list[dict[str, Any]] = []
    while not rows:
        rows = await asyncio.to_thread(listed)
    assert [row["alert_id"] for row in rows] == [told["alert_id"]]
