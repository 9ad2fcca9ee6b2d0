"""From Kafka records to lines of JSON, one a row, as the storage tables take them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from schemas import topics
from schemas.events import MESSAGE_EVENT, STATUS_EVENT, UNREADABLE, decode
from schemas.shapes import StatusEvent, decode_documented
from schemas.times import parse_epoch, parse_iso, to_iso
from sinks.shapes import Event, Payload, RawRow, decode_ids


class Unusable(NamedTuple):
    """A record that cannot become a row: parked with this reason."""

    reason: str
    detail: str


Line = bytes | Unusable | None
"""A row; why there is none; or None for a record whose row stands already."""


class Target(NamedTuple):
    """Where a topic's records go."""

    table: str
    line: Callable[[Any, int], Line]
    """Makes a record's line; the number is its partition."""


_NO_TIME: Final = "1900-01-01T00:00:00.000Z"
"""Stands for the time of a status where none was told."""
_encode: Final = msgspec.json.Encoder().encode


def _text(value: bytes | None) -> str:
    return value.decode(errors="replace") if value else ""


_shared_text = lru_cache(maxsize=4096)(_text)
"""The same for what the records of a request share."""


@lru_cache(maxsize=4096)
def _received(written: bytes | None) -> str:
    """Return a received time as ISO text; '' where it cannot be read. The records of a request share it."""
    moment = parse_epoch(_text(written))
    return "" if moment is None else to_iso(moment)


class _Request:
    """What the headers of a record say: the records of a request share them, and where compiled the very list."""

    __slots__ = ("delivery", "headers", "received", "replayed", "source", "values")

    def __init__(self, headers: Sequence[tuple[str, bytes | None]]) -> None:
        self.headers = headers
        self.values = values = dict(headers)
        self.replayed = topics.HEADER_ORIGIN in values
        self.received = _received(values.get(topics.HEADER_RECEIVED))
        self.source = _shared_text(values.get(topics.HEADER_SOURCE))
        self.delivery = _shared_text(values.get(topics.HEADER_DELIVERY))


class _RawLines:
    """Makes the rows of raw records; remembers the last request."""

    def __init__(self) -> None:
        self._request = _Request([])

    def line(self, record: Any, partition: int) -> Line:
        """Return the row of a record; none for a replayed one, whose first copy stands earlier in the same topic."""
        request = self._request
        if record.headers is not request.headers:
            request = self._request = _Request(record.headers)
        if request.replayed:
            return None
        value = record.value or b""
        try:
            body = value.decode()
        except UnicodeDecodeError as error:
            return Unusable("not_utf8", str(error))
        received = request.received or to_iso(record.timestamp)
        facts = _facts(value, request.values, received)
        return _encode(
            RawRow(
                facts[0],
                facts[1],
                facts[2],
                facts[3],
                facts[4],
                received,
                request.source,
                request.delivery,
                facts[5],
                facts[6],
                partition,
                record.offset,
                body,
            )
        )


raw_line: Final = _RawLines().line
_Facts = tuple[str, str, str, str, str, str, str]
"""Org, event type, message, session, channel ('' for what is not told), status and its time (bare: one a record)."""


def _facts(value: bytes, headers: dict[str, bytes | None], received: str) -> _Facts:
    try:
        # Nine of ten records: a status event in its documented shape.
        envelope = decode_documented(value)
    except UNREADABLE:
        return _other_facts(value, headers, received)
    payload = envelope.payload
    told = payload.messageNewStatus
    return (
        _id(envelope.orgId),
        STATUS_EVENT,
        _id(payload.messageId),
        _id(payload.sessionId),
        _id(payload.channelId),
        told.status,
        _moment(told.updatedTime, envelope.eventTime, received),
    )


def _other_facts(value: bytes, headers: dict[str, bytes | None], received: str) -> _Facts:
    event = decode(value)
    if isinstance(event, StatusEvent):
        moment = _moment(event.updated_time, event.event_time, received)
        ids = event.message_id, event.session_id, event.channel_id
        return event.org_id, STATUS_EVENT, *ids, event.new_status, moment
    try:
        other = decode_ids(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        other = Event()
    payload = other.payload or Payload()
    event_type = _text(headers.get(topics.HEADER_TYPE)) or other.eventType or ""
    return (
        _text(headers.get(topics.HEADER_ORG)) or _id(other.orgId),
        event_type,
        _id(payload.id) if event_type == MESSAGE_EVENT else "",
        _id(payload.sessionId),
        _id(payload.channelId),
        "",
        _NO_TIME,
    )


def _moment(updated_time: object, event_time: object, received: str) -> str:
    """Return the time that counts for a receipt: updatedTime, else eventTime, else the received time."""
    moment = parse_iso(updated_time)
    if moment is not None:
        told = str(updated_time)
        # In Zoho's own form the text stands for itself.
        return told if len(told) == len(_NO_TIME) and told[-1] == "Z" else to_iso(moment)
    moment = parse_epoch(event_time)
    return received if moment is None else to_iso(moment)


def _id(value: int | str | None) -> str:
    return value if type(value) is str else "" if value is None else str(value)


def passed_through(record: Any, _: int) -> Line:
    """Return a value that is a row already. A line break in it would break the framing of its batch."""
    value: bytes = record.value or b""
    if not value.startswith(b"{") or b"\n" in value:
        return Unusable("not_one_line", "the value is not a JSON object on one line")
    return value


def dead_line(record: Any, partition: int) -> Line:
    """Return the row of a dead letter."""
    headers = {name: _text(value) for name, value in record.headers}
    value = record.value or b""
    try:
        body, encoding = value.decode(), "text"
    except UnicodeDecodeError:
        body, encoding = b64encode(value).decode(), "base64"
    return orjson.dumps(
        {
            "stage": headers.get("stage", ""),
            "reason": headers.get("reason", ""),
            "detail": headers.get("detail", ""),
            "topic": headers.get("topic", ""),
            "partition": _number(headers.get("partition")),
            "offset": _number(headers.get("offset")),
            "failed_at": headers.get("failed_at") or to_iso(record.timestamp),
            "key": _text(record.key),
            "body": body,
            "body_encoding": encoding,
            "org_id": headers.get(topics.HEADER_ORG, ""),
            "dead_partition": partition,
            "dead_offset": record.offset,
        }
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else -1


TARGETS: Final = {
    topics.RAW: Target("raw_events_log", raw_line),
    topics.TRANSITIONS: Target("transitions_log", passed_through),
    topics.WINDOWS: Target("channel_windows_log", passed_through),
    topics.ALERTS: Target("alerts_log", passed_through),
    topics.DEAD: Target("dead_letters_log", dead_line),
}
"""Every topic that is stored, and how."""
