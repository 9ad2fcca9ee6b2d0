"""The shapes of the source's events as types, and their decoders; `schemas.events` says what an event is.

They stand apart from the code that uses them because that may be compiled, and a compiled class keeps no types of its
fields by which a decoder could read them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

MAX_ID_LENGTH: Final = 64
MAX_STATUS_LENGTH: Final = 64


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


_Id = int | Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
_Status = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_STATUS_LENGTH)]


# What the ingress needs of a status event in its documented shape.


class _RouteStatus(msgspec.Struct, gc=False):
    status: _Status


class _RoutePayload(msgspec.Struct, gc=False):
    messageNewStatus: _RouteStatus  # noqa: N815 -- Zoho's name, here and below
    messageId: _Id  # noqa: N815
    sessionId: _Id | None = None  # noqa: N815
    channelId: _Id | None = None  # noqa: N815


class _RouteEnvelope(msgspec.Struct, gc=False):
    eventType: Literal["IM_Message_Status"]  # noqa: N815
    orgId: _Id  # noqa: N815
    payload: _RoutePayload


# The same with all that the processor reads.


class _FullStatus(_RouteStatus, gc=False):
    updatedTime: Any = None  # noqa: N815


class _FullPayload(_RoutePayload, gc=False):
    messageNewStatus: _FullStatus  # noqa: N815
    messageOldStatus: Any = None  # noqa: N815


class _FullEnvelope(_RouteEnvelope, gc=False):
    payload: _FullPayload
    eventTime: Any = None  # noqa: N815


# The type of a channel, in an IM_Message_Add.


class _AddedPayload(msgspec.Struct, gc=False):
    channelId: _Id  # noqa: N815
    integration: str


class _AddedEnvelope(msgspec.Struct, gc=False):
    payload: _AddedPayload


decode_route: Final = msgspec.json.Decoder(_RouteEnvelope).decode
decode_routes: Final = msgspec.json.Decoder(list[_RouteEnvelope]).decode
decode_documented: Final = msgspec.json.Decoder(_FullEnvelope).decode
"""Reads a status event in its documented shape. Raises one of UNREADABLE on any other."""
decode_added: Final = msgspec.json.Decoder(_AddedEnvelope).decode
decode_any: Final = msgspec.json.Decoder().decode
decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
