"""What one array element says, read with the standard library's json alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

LATEST_MS = 9_000_000_000_000
LONGEST_TEXT = 64
LADDER = ("SENT", "DELIVERED", "READ")

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)
_EPOCH = re.compile(r"[0-9]{1,13}")


class Digits(str):
    """An integer literal, kept as its text; a string stays a plain `str`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A status that a webhook told. `updated_ms` and `event_ms` are None where missing or unreadable."""

    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    old_status: str
    new_status: str
    updated_ms: int | None
    event_ms: int | None


@dataclass(frozen=True, slots=True)
class Added:
    """An IM_Message_Add: what it tells of a message and its channel ('' where it tells nothing)."""

    org_id: str
    channel_id: str
    message_id: str
    direction: str
    channel_type: str


@dataclass(frozen=True, slots=True)
class Other:
    """Any other event type."""

    org_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """No event at all: the processor parks it."""


Element = Told | Added | Other | Unusable


def read(value: bytes) -> Element:
    """Read one element. Never raises."""
    try:
        element = json.loads(value.decode(), parse_int=Digits, parse_constant=_refuse)
        if b"\\u" in value:  # only an escape can make a lone surrogate
            json.dumps(element, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # bad UTF-8, bad JSON, a lone surrogate, too deep
        return Unusable()
    if not isinstance(element, dict):
        return Unusable()
    event_type = _text(element.get("eventType"))
    if not event_type:
        return Unusable()
    payload = element.get("payload")
    fields = payload if isinstance(payload, dict) else {}
    if event_type == "IM_Message_Status":
        return _told(element, fields)
    org = identifier(element.get("orgId")) or ""
    message = identifier(fields.get("id"))
    if event_type == "IM_Message_Add" and message:
        return Added(
            org,
            identifier(fields.get("channelId")) or "",
            message,
            _text(fields.get("direction")),
            _text(fields.get("integration")),
        )
    return Other(org, event_type)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _told(element: dict[str, Any], payload: dict[str, Any]) -> Told | Unusable:
    new = payload.get("messageNewStatus")
    new = new if isinstance(new, dict) else {}
    status = _text(new.get("status"))
    org, message = identifier(element.get("orgId")), identifier(payload.get("messageId"))
    channel, session = _optional(payload.get("channelId")), _optional(payload.get("sessionId"))
    if not status or len(status) > LONGEST_TEXT or None in (org, message, channel, session):
        return Unusable()
    old = _text(payload.get("messageOldStatus"))
    return Told(
        org_id=str(org),
        channel_id=str(channel),
        session_id=str(session),
        message_id=str(message),
        old_status=old if len(old) <= LONGEST_TEXT else "",
        new_status=status,
        updated_ms=iso_ms(new.get("updatedTime")),
        event_ms=epoch_ms(element.get("eventTime")),
    )


def _text(value: object) -> str:
    """Return a JSON string, '' for anything else (an integer literal too)."""
    return value if isinstance(value, str) and not isinstance(value, Digits) else ""


def identifier(value: object) -> str | None:
    """Return an id as text: the digits of an integer literal, or text of 1 to 64 characters; else None."""
    if isinstance(value, Digits):
        digits = value.lstrip("-")
        return None if len(digits) > LONGEST_TEXT else str(int(value))
    text = _text(value)
    return text if 1 <= len(text) <= LONGEST_TEXT else None


def _optional(value: object) -> str | None:
    return "" if value is None else identifier(value)


def iso_ms(value: object) -> int | None:
    """Return epoch milliseconds of a full ISO 8601 time with Z or an offset; digits past the millisecond are cut."""
    match = _TIME.fullmatch(_text(value))
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    offset = (offset_hours * 60 + offset_minutes) * (-1 if match[8] == "-" else 1)
    if abs(offset) >= 24 * 60:
        return None
    seconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) - offset * 60
    return _in_range(seconds * 1000 + int(((match[7] or "") + "000")[:3]))


def epoch_ms(value: object) -> int | None:
    """Return epoch milliseconds given as an integer, or as decimal text of at most 13 digits."""
    if isinstance(value, Digits):
        return _in_range(int(value)) if len(value) <= LONGEST_TEXT else None
    return _in_range(int(value)) if isinstance(value, str) and _EPOCH.fullmatch(value) else None


def _in_range(ms: int) -> int | None:
    return ms if 0 <= ms <= LATEST_MS else None
