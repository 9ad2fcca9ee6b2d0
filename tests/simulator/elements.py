"""Elements made by hand for the answer key's tests."""

from __future__ import annotations

import json

from core.clock import iso
from sandbox.answer_key import RawRecord

T0 = 1_760_000_040_000
"""A minute's start: 2025-10-09T08:54:00Z."""


def told(
    status: str,
    time: object = T0,
    *,
    message: object = 50007000000006017,
    old: object = None,
    org: object = "1",
    channel: object = 7,
    event_time: object = None,
) -> bytes:
    """Return a status event; an integer `time` is written as the source does."""
    return json.dumps(
        {
            "payload": {
                "messageOldStatus": old,
                "messageNewStatus": {"updatedTime": iso(time) if isinstance(time, int) else time, "status": status},
                "messageId": message,
                "sessionId": 3,
                "channelId": channel,
            },
            "eventTime": event_time,
            "eventType": "IM_Message_Status",
            "orgId": org,
        }
    ).encode()


def added(message: str, *, org: str = "1", channel: str = "7", kind: str = "WHATSAPP") -> bytes:
    """Return an IM_Message_Add of an outgoing message."""
    payload = {"id": message, "channelId": channel, "sessionId": "3", "direction": "OUT", "integration": kind}
    return json.dumps({"payload": payload, "eventType": "IM_Message_Add", "orgId": org}).encode()


def log(*values: bytes, received: int = T0 + 5000) -> list[RawRecord]:
    """Return the values as records of one partition, received at one moment."""
    return [RawRecord(0, offset, value, received) for offset, value in enumerate(values)]
