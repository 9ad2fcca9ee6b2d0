"""The events of the source, as Zoho Desk sends them: one typed value for each element of a webhook's array.

What an event is stands here alone. The ingress uses `route` to accept or park an element, the processor `decode` to
read a raw record; both judge by the same types and the same slow path, so the two can never disagree.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from schemas.shapes import (
    MAX_ID_LENGTH,
    MAX_STATUS_LENGTH,
    OtherEvent,
    Rejected,
    StatusEvent,
    decode_added,
    decode_any,
    decode_documented,
    decode_fields,
    decode_route,
)

STATUS_EVENT: Final = "IM_Message_Status"
MESSAGE_EVENT: Final = "IM_Message_Add"
SESSION_EVENT: Final = "IM_Session_Status"

LADDER: Final = ("SENT", "DELIVERED", "READ")
"""The statuses in their order; any other status is off the ladder."""


Event = StatusEvent | OtherEvent


Route = tuple[str, str, str]
"""Where an element goes: its Kafka key, org ('' when it names none) and event type (bare: one an event)."""


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_INTEGER: Final = re.compile(rb"-?\d+")


def decode(text: bytes | msgspec.Raw) -> Event | Rejected:
    """Read one array element (its exact JSON text). Never raises.

    An element is an event when it is an object with an eventType; a status event also needs org, message id and
    status. An id is an integer literal of any length or text of 1 to 64 characters.
    """
    try:
        envelope = decode_documented(text)
    except UNREADABLE:
        # Not a status event in its documented shape: find out slowly what it is.
        return _decode_slowly(text)
    payload = envelope.payload
    told = payload.messageNewStatus
    return StatusEvent(
        _text_of(envelope.orgId),
        _optional_text_of(payload.channelId),
        _optional_text_of(payload.sessionId),
        _text_of(payload.messageId),
        _old_status(payload.messageOldStatus),
        told.status,
        told.updatedTime,
        envelope.eventTime,
    )


def route(text: bytes | msgspec.Raw) -> Route | Rejected:
    """Say where one array element goes, or why it is no event: `decode` without what only the processor reads."""
    try:
        envelope = decode_route(text)
    except UNREADABLE:
        event = _decode_slowly(text)
        if isinstance(event, Rejected):
            return event
        return key_of(event), event.org_id, type_of(event)
    message, org = envelope.payload.messageId, envelope.orgId
    return message if type(message) is str else str(message), org if type(org) is str else str(org), STATUS_EVENT


def key_of(event: Event) -> str:
    """Return the Kafka key of an event: the message id, so that all of a message meets in one partition."""
    return event.message_id if isinstance(event, StatusEvent) else event.key


def type_of(event: Event) -> str:
    """Return the eventType of an event."""
    return STATUS_EVENT if isinstance(event, StatusEvent) else event.event_type


def org_of(text: bytes | msgspec.Raw) -> str:
    """Return the org that any element names, event or not; '' when it names none."""
    fields = _object(text)
    return (_id(fields.get("orgId")) if fields else None) or ""


def channel_type_of(text: bytes | msgspec.Raw) -> tuple[str, str] | None:
    """Return the channel's id and type (upper case) of an IM_Message_Add, None when it does not tell both."""
    try:
        payload = decode_added(text).payload
    except UNREADABLE:
        return None
    return (_text_of(payload.channelId), payload.integration.upper()) if payload.integration else None


def _text_of(value: int | str) -> str:
    # msgspec refuses integers of more digits than Python prints: str() cannot fail here.
    return value if type(value) is str else str(value)


def _optional_text_of(value: int | str | None) -> str:
    return "" if value is None else _text_of(value)


def _old_status(value: object) -> str:
    return value if type(value) is str and len(value) <= MAX_STATUS_LENGTH else ""


# The slow path: any element, one level at a time, so that a strange value in one field spoils no other.

_Fields = dict[str, msgspec.Raw]
_NOT_AN_OBJECT: Final = Rejected("not_an_object", "the element is not a JSON object")


def _decode_slowly(text: bytes | msgspec.Raw) -> Event | Rejected:
    if bytes(text).lstrip(b" \t\r\n")[:1] != b"{":
        return _NOT_AN_OBJECT
    try:
        fields = decode_fields(text)
    except UNREADABLE as error:
        return Rejected("not_json", f"the element cannot be read as JSON: {error}")
    event_type = _text(fields.get("eventType"))
    if not event_type:
        return Rejected("no_event_type", "eventType is missing, empty or not text")
    return _status(fields) if event_type == STATUS_EVENT else _other(event_type, fields)


def _status(fields: _Fields) -> StatusEvent | Rejected:
    payload = _object(fields.get("payload"))
    if payload is None:
        return Rejected("no_payload", "the status event has no payload object")
    told = _object(payload.get("messageNewStatus")) or {}
    status = _text(told.get("status"))
    if not status or len(status) > MAX_STATUS_LENGTH:
        return Rejected("no_status", "payload.messageNewStatus.status is missing, empty or longer than 64 characters")
    org, message = _id(fields.get("orgId")), _id(payload.get("messageId"))
    if org is None:
        return Rejected("bad_org_id", "orgId is not an integer literal or text of 1 to 64 characters")
    if message is None:
        return Rejected("bad_message_id", "payload.messageId is not an integer literal or text of 1 to 64 characters")
    session, channel = _optional_id(payload.get("sessionId")), _optional_id(payload.get("channelId"))
    if session is None:
        return Rejected("bad_session_id", "payload.sessionId is not an integer literal or text of 1 to 64 characters")
    if channel is None:
        return Rejected("bad_channel_id", "payload.channelId is not an integer literal or text of 1 to 64 characters")
    old = _old_status(_value(payload.get("messageOldStatus")))
    updated, happened = _value(told.get("updatedTime")), _value(fields.get("eventTime"))
    return StatusEvent(org, channel, session, message, old, status, updated, happened)


def _other(event_type: str, fields: _Fields) -> OtherEvent:
    payload = _object(fields.get("payload")) or {}
    org = _id(fields.get("orgId")) or ""
    message = _id(payload.get("id")) if event_type == MESSAGE_EVENT else None
    return OtherEvent(org, event_type, message or _id(payload.get("sessionId")) or org)


def _object(raw: bytes | msgspec.Raw | None) -> _Fields | None:
    """Return the fields of an object, None when it is anything else."""
    if raw is None:
        return None
    try:
        return decode_fields(raw)
    except UNREADABLE:
        return None


def _value(raw: msgspec.Raw | None) -> object:
    """Return a value, None when it is absent or past what Python can hold (1e999)."""
    if raw is None:
        return None
    try:
        value: object = decode_any(raw)
    except UNREADABLE:
        return None
    return value


def _text(raw: msgspec.Raw | None) -> str | None:
    value = _value(raw)
    return value if isinstance(value, str) else None


def _id(raw: msgspec.Raw | None) -> str | None:
    """Return an id as text, or None when it is not a usable one."""
    if raw is None:
        return None
    literal = bytes(raw)
    if _INTEGER.fullmatch(literal):
        return "0" if literal == b"-0" else literal.decode()
    text = _text(raw)
    return text if text and len(text) <= MAX_ID_LENGTH else None


def _optional_id(raw: msgspec.Raw | None) -> str | None:
    """Return an id as text, '' when there is none, None when it is not a usable one."""
    return "" if raw is None or bytes(raw) == b"null" else _id(raw)
