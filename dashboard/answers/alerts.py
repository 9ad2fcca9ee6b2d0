"""Alerts and follow-ups."""

from __future__ import annotations

from typing import Literal

import msgspec


class Alert(msgspec.Struct, frozen=True):
    """A row of `alerts`."""

    alert_id: str
    rule: str
    state: Literal["open", "resolved", "expired"]
    followup: bool
    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    due_time: str
    opened_time: str | None
    resolved_time: str | None


class Followup(msgspec.Struct, frozen=True):
    """A row of `followups`: an open alert of a follow-up rule with its message's facts."""

    alert_id: str
    rule: str
    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    due_time: str
    opened_time: str | None
    status: str
    sent_time: str | None
    delivered_time: str | None
