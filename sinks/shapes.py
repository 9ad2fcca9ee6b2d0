"""What rows are made of, as types: apart from `sinks.rows`, which may be compiled (see `schemas.shapes`)."""

from __future__ import annotations

from typing import Final

import msgspec


class Payload(msgspec.Struct, gc=False):
    """The ids in the payload of any event."""

    id: int | str | None = None
    sessionId: int | str | None = None  # noqa: N815 -- Zoho's names
    channelId: int | str | None = None  # noqa: N815


class Event(msgspec.Struct, gc=False):
    """What a row needs of an event that is no status event."""

    orgId: int | str | None = None  # noqa: N815
    eventType: str | None = None  # noqa: N815
    payload: Payload | None = None


class RawRow(msgspec.Struct, gc=False):
    """A row of raw_events_log."""

    org_id: str
    event_type: str
    message_id: str
    session_id: str
    channel_id: str
    received_time: str
    source: str
    delivery: str
    status: str
    status_time: str
    raw_partition: int
    raw_offset: int
    body: str


decode_ids: Final = msgspec.json.Decoder(Event).decode
