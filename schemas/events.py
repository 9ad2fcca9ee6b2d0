"""The events of the source, as Zoho Desk sends them: one typed value for each element of a webhook's array.

`decode` is the one definition of what an event is. The ingress uses it to accept or park an element, the processor to
read a raw record, so the two can never disagree.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

MAX_ID_LENGTH: Final = 64
MAX_STATUS_LENGTH: Final = 64

STATUS_EVENT: Final = "IM_Message_Status"
MESSAGE_EVENT: Final = "IM_Message_Add"
SESSION_EVENT: Final = "IM_Session_Status"

LADDER: Final = ("SENT", "DELIVERED", "READ")
"""The statuses in their order; any other status is off the ladder."""


class StatusEvent(msgspec.Struct, frozen=True, gc=False):
    """A message reached a status. Ids are text; times are as told, unparsed (see `schemas.times`)."""

    org_id: str
    channel_id: str
    """'' when the event names none."""
    session_id: str
    """'' when the event names none."""
    message_id: str
    old_status: str
    """'' when the source told null or nothing."""
    new_status: str
    updated_time: object
    """`messageNewStatus.updatedTime`: ISO 8601 text when it is as documented."""
    event_time: object
    """`eventTime`: epoch milliseconds as text when it is as documented."""


class OtherEvent(msgspec.Struct, frozen=True, gc=False):
    """Any other event: kept as it is, keyed so that a message's creation meets its statuses."""

    org_id: str
    event_type: str
    key: str
    """Message id of an IM_Message_Add, else session id, else org, else ''."""


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """An element that is no event. `reason` is a tag for counting, `detail` a sentence for a person."""

    reason: str
    detail: str


Event = StatusEvent | OtherEvent


class _NewStatus(msgspec.Struct, gc=False):
    status: str | None = None
    updatedTime: Any = None  # noqa: N815 -- Zoho's name


class _Payload(msgspec.Struct, gc=False):
    messageNewStatus: _NewStatus | None = None  # noqa: N815
    messageId: int | str | None = None  # noqa: N815
    sessionId: int | str | None = None  # noqa: N815
    channelId: int | str | None = None  # noqa: N815
    messageOldStatus: Any = None  # noqa: N815


class _Envelope(msgspec.Struct, gc=False):
    eventType: str | None = None  # noqa: N815
    orgId: int | str | None = None  # noqa: N815
    payload: _Payload | None = None
    eventTime: Any = None  # noqa: N815


_decode_status = msgspec.json.Decoder(_Envelope).decode
_decode_any = msgspec.json.Decoder().decode


def decode(text: bytes | msgspec.Raw) -> Event | Rejected:
    """Read one array element (its exact JSON text). Never raises.

    An element is an event when it is an object with an eventType; a status event also needs org, message id and
    status. An id is an integer literal of any length or text of 1 to 64 characters.
    """
    try:
        envelope = _decode_status(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        # Not a status event in its documented shape: find out slowly what it is.
        return _decode_slowly(text)
    if envelope.eventType != STATUS_EVENT:
        return _decode_slowly(text)
    return _status(envelope)


def _status(envelope: _Envelope) -> StatusEvent | Rejected:
    payload = envelope.payload
    if payload is None:
        return Rejected("no_payload", "the status event has no payload object")
    told = payload.messageNewStatus
    status = told.status if told is not None else None
    if told is None or not status or len(status) > MAX_STATUS_LENGTH:
        return Rejected("no_status", "payload.messageNewStatus.status is missing, empty or longer than 64 characters")
    org, message = _id(envelope.orgId), _id(payload.messageId)
    if org is None:
        return Rejected("bad_org_id", "orgId is not an integer literal or text of 1 to 64 characters")
    if message is None:
        return Rejected("bad_message_id", "payload.messageId is not an integer literal or text of 1 to 64 characters")
    session, channel = _optional_id(payload.sessionId), _optional_id(payload.channelId)
    if session is None:
        return Rejected("bad_session_id", "payload.sessionId is not an integer literal or text of 1 to 64 characters")
    if channel is None:
        return Rejected("bad_channel_id", "payload.channelId is not an integer literal or text of 1 to 64 characters")
    old = payload.messageOldStatus
    return StatusEvent(
        org,
        channel,
        session,
        message,
        old if type(old) is str and len(old) <= MAX_STATUS_LENGTH else "",
        status,
        told.updatedTime,
        envelope.eventTime,
    )


def _id(value: object) -> str | None:
    """Return an id as text, or None when it is not a usable one."""
    if type(value) is str:
        return value if 1 <= len(value) <= MAX_ID_LENGTH else None
    return _integer_text(value) if type(value) is int else None


def _integer_text(value: int) -> str | None:
    # Python refuses to print integers of more than 4,300 digits; an id of more than 64 is refused all the same.
    return str(value) if abs(value) < 10**MAX_ID_LENGTH else None


def _optional_id(value: object) -> str | None:
    """Return an id as text, '' when there is none, None when it is not a usable one."""
    return "" if value is None else _id(value)


def _decode_slowly(text: bytes | msgspec.Raw) -> Event | Rejected:
    try:
        element = _decode_any(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        return Rejected("not_json", f"the element cannot be read as JSON: {error}")
    if not isinstance(element, dict):
        return Rejected("not_an_object", "the element is not a JSON object")
    event_type = element.get("eventType")
    if not isinstance(event_type, str) or not event_type:
        return Rejected("no_event_type", "eventType is missing, empty or not text")
    if event_type == STATUS_EVENT:
        return _wrong_status_event(element)
    return _other(event_type, element)


def _wrong_status_event(element: dict[str, Any]) -> StatusEvent | Rejected:
    """Read a status event whose fields have unexpected types, so that what can be used still is."""
    payload = element.get("payload")
    if not isinstance(payload, dict):
        return _status(_Envelope())
    told = payload.get("messageNewStatus")
    new = None
    if isinstance(told, dict) and isinstance(told.get("status"), str):
        new = _NewStatus(told["status"], told.get("updatedTime"))
    return _status(
        _Envelope(
            STATUS_EVENT,
            element.get("orgId"),
            _Payload(
                new,
                payload.get("messageId"),
                payload.get("sessionId"),
                payload.get("channelId"),
                payload.get("messageOldStatus"),
            ),
            element.get("eventTime"),
        )
    )


def _other(event_type: str, element: dict[str, Any]) -> OtherEvent:
    payload = element.get("payload")
    fields = payload if isinstance(payload, dict) else {}
    org = _id(element.get("orgId")) or ""
    message = _id(fields.get("id")) if event_type == MESSAGE_EVENT else None
    return OtherEvent(org, event_type, message or _id(fields.get("sessionId")) or org)


def key_of(event: Event) -> str:
    """Return the Kafka key of an event: the message id, so that all of a message meets in one partition."""
    return event.message_id if isinstance(event, StatusEvent) else event.key
