"""Messages, sessions, and what a search finds."""

from __future__ import annotations

from typing import Literal

import msgspec

from dashboard.answers.alerts import Alert


class OpenMessage(msgspec.Struct, frozen=True):
    """A row of `open_messages`: nobody has read it yet."""

    org_id: str
    channel_id: str
    channel_type: str
    session_id: str
    message_id: str
    status: str
    since: str
    age_seconds: int
    stuck: bool
    can_report_delivered: bool
    can_report_read: bool


class State(msgspec.Struct, frozen=True):
    """A row of `message_state`."""

    org_id: str
    message_id: str
    channel_id: str
    session_id: str
    status: str
    sent_time: str | None
    delivered_time: str | None
    read_time: str | None
    delivered_implied: bool
    channel_type: str
    direction: str
    created_time: str | None


class Step(msgspec.Struct, frozen=True):
    """A row of `transitions`, and how long after the change its webhook was heard."""

    org_id: str
    message_id: str
    channel_id: str
    session_id: str
    old_status: str
    new_status: str
    updated_time: str
    event_time: str | None
    received_time: str
    time_source: Literal["updated", "event", "received"]
    implied: int
    out_of_order: bool
    contradiction: bool
    sent_to_delivered_ms: int | None
    delivered_to_read_ms: int | None
    heard_after_ms: int
    raw_partition: int
    raw_offset: int


class RawEvent(msgspec.Struct, frozen=True):
    """A row of `raw_events`: one webhook record as it came."""

    org_id: str
    event_type: str
    message_id: str
    session_id: str
    channel_id: str
    received_time: str
    source: str
    raw_partition: int
    raw_offset: int
    body: str


class Timeline(msgspec.Struct, frozen=True):
    """What became of one message of one org."""

    state: State
    steps: list[Step]
    missing: list[str]
    """Ladder statuses below the highest known one that no webhook told."""
    duplicates: int
    """Status records of the message that told nothing new."""
    alerts: list[Alert]
    raw: list[RawEvent]
    """The records themselves, the first 200."""
    records: int
    """How many there are."""


class Journey(msgspec.Struct, frozen=True):
    """A session's messages, their statuses in order, and the session's own events; the first 500 of each."""

    session_id: str
    messages: list[State]
    steps: list[Step]
    events: list[RawEvent]
    truncated: list[Literal["messages", "steps", "events"]]
    """Those of which there are more."""


class Hit(msgspec.Struct, frozen=True):
    """Something with the id that was searched for."""

    kind: Literal["message", "session", "channel"]
    org_id: str
    id: str
    channel_id: str
    status: str
    """Of a message; '' otherwise."""
    messages: int
    """How many messages of a session; 1 for a message, 0 for a channel."""


class Found(msgspec.Struct, frozen=True):
    """What a search found."""

    query: str
    hits: list[Hit]
