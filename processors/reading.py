"""From a raw record to what the rules need of it, and from their answer to the published transition."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from processors.ports import Record
from processors.rules import Applied
from schemas import topics
from schemas.records import TimeSource, Transition
from schemas.shapes import Rejected, StatusEvent
from schemas.times import LATEST_MS, parse_epoch, parse_iso, to_iso

_ORIGIN: Final = re.compile(rb"(\d{1,6}):(\d{1,12})")
_ISO_LENGTH: Final = 24
_encode: Final = msgspec.json.Encoder().encode


class Raw(NamedTuple):
    """What the headers of a raw record say."""

    offset: int
    """The record's own offset, or its first copy's when it is a replay."""
    received: int
    """Epoch ms."""
    replayed: bool


class Clocks(NamedTuple):
    """When the status changed (epoch ms), which clock told it, and the source's event time (None: unreadable)."""

    time: int
    source: TimeSource
    event_time: int | None


def read_headers(record: Record, partition: int) -> Raw | Rejected:
    """Read the headers. Rejected when an origin cannot be the first copy of this record."""
    headers = dict(record.headers)
    received = headers.get(topics.HEADER_RECEIVED)
    # A record of someone else's making may lack the header; the producer's own time stands in for it.
    stamped = min(max(record.timestamp, 0), LATEST_MS)
    time = int(received) if received and received.isdigit() and len(received) <= 13 else stamped  # noqa: PLR2004
    origin = headers.get(topics.HEADER_ORIGIN)
    if origin is None:
        return Raw(record.offset, time, False)
    match = _ORIGIN.fullmatch(origin)
    if match is None or int(match[1]) != partition or int(match[2]) >= record.offset:
        return Rejected("bad_origin", f"header origin {origin!r} names no earlier record of partition {partition}")
    return Raw(int(match[2]), time, True)


def clocks_of(event: StatusEvent, received: int) -> Clocks:
    """Choose the clock: updatedTime, else eventTime, else the received time (epoch ms)."""
    event_time = parse_epoch(event.event_time)
    time = parse_iso(event.updated_time)
    if time is not None:
        return Clocks(time, "updated", event_time)
    if event_time is not None:
        return Clocks(event_time, "event", event_time)
    return Clocks(received, "received", None)


def transition_row(event: StatusEvent, raw: Raw, clocks: Clocks, outcome: Applied, partition: int) -> bytes:
    """Return the value of `im.transitions`."""
    told = event.updated_time
    exact = clocks.source == "updated" and type(told) is str and len(told) == _ISO_LENGTH and told[-1] == "Z"
    return _encode(
        Transition(
            event.org_id,
            event.channel_id,
            event.session_id,
            event.message_id,
            event.old_status,
            event.new_status,
            str(told) if exact else to_iso(clocks.time),
            to_iso(clocks.event_time) if clocks.event_time is not None else None,
            to_iso(raw.received),
            clocks.source,
            outcome.implied,
            outcome.out_of_order,
            outcome.contradiction,
            outcome.sent_to_delivered_ms,
            outcome.delivered_to_read_ms,
            partition,
            raw.offset,
        )
    )
