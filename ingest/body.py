"""A request body to events: pure, from bytes to what is accepted and what is parked.

The text is checked as a whole before anything is taken from it: UTF-8, JSON's grammar, nesting. The grammar check is
msgspec's (strict in escapes, numbers, control characters and surrogate pairs); it looks at neither UTF-8 nor depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import msgspec

from schemas.events import STATUS_EVENT, UNREADABLE, org_of, route
from schemas.shapes import Rejected, decode_routes

MAX_DEPTH = 128
BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"
"""JSON's white space."""


@dataclass(slots=True)
class Group:
    """The events of one org ('' when they name none) and type in a body: what they share is kept once."""

    org: str
    event_type: str
    count: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    """Their Kafka record headers, once they are known."""


Accepted = tuple[bytes, bytes, Group]
"""Kafka key, the element's exact text, and the group it belongs to."""


@dataclass(frozen=True, slots=True)
class Parked:
    """An element that is no event: its exact text, a reason for counting, a sentence for a person."""

    text: bytes
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Split:
    """The elements of one body, each kind in the order of the array."""

    accepted: list[Accepted]
    parked: list[Parked]
    groups: list[Group]
    """The groups of what is accepted."""


def is_of_org(found: Split, org: str) -> bool:
    """Tell whether every element, accepted or parked, names this org."""
    return all(group.org == org for group in found.groups) and all(org_of(item.text) == org for item in found.parked)


@dataclass(frozen=True, slots=True)
class NotJson:
    """The body as a whole cannot be read: a reason for counting, a sentence for a person."""

    reason: str
    detail: str


_decode_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one: Final = msgspec.json.Decoder(msgspec.Raw).decode


def strip(body: bytes) -> bytes:
    """Return the body without byte order mark and surrounding white space."""
    return (body[3:] if body.startswith(BOM) else body).strip(SPACE)


def split(body: bytes) -> Split | NotJson:
    """Split a stripped, non-empty body into its elements and judge them."""
    views = elements(body)
    return views if isinstance(views, NotJson) else judge(body, views)


def elements(body: bytes) -> list[msgspec.Raw] | NotJson:
    """Return the elements of a stripped, non-empty body, as views of it; what is no array is an array of one."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return NotJson("invalid_utf8", f"the body is not UTF-8 at byte {error.start}")
    try:
        return _decode_array(body) if body[:1] == b"[" else [_decode_one(body)]
    except RecursionError:
        return _too_deep()
    except msgspec.DecodeError as error:
        return NotJson("not_json", f"the body is not JSON: {error}")


def judge(body: bytes, views: list[msgspec.Raw]) -> Split | NotJson:
    """Tell which elements of a body are events; a body that is nested too deep has none."""
    texts = list(map(bytes, views))
    found = documented(body, texts) or _route(texts)
    if _may_be_deep(body, texts, found.groups) and _depth(body) > MAX_DEPTH:
        return _too_deep()
    return found


def documented(array: bytes, texts: list[bytes]) -> Split | None:
    """Accept all elements of a JSON array in one step; None unless all are status events as documented."""
    try:
        envelopes = decode_routes(array)
    except UNREADABLE:
        return None
    accepted: list[Accepted] = []
    groups: dict[str, Group] = {}
    last: object = None
    group = None
    for text, envelope in zip(texts, envelopes, strict=True):
        message, org = envelope.payload.messageId, envelope.orgId
        # Nearly always a whole body is of one org.
        if group is None or org != last:
            last, name = org, str(org)
            group = groups.get(name)
            if group is None:
                group = groups[name] = Group(name, STATUS_EVENT)
        group.count += 1
        accepted.append((str(message).encode(), text, group))
    return Split(accepted, [], list(groups.values()))


def _route(texts: list[bytes]) -> Split:
    """Judge and sort the elements one by one."""
    accepted: list[Accepted] = []
    parked: list[Parked] = []
    groups: dict[tuple[str, str], Group] = {}
    org = event_type = ""
    group = None
    for text in texts:
        judged = route(text)
        if isinstance(judged, Rejected):
            parked.append(Parked(text, judged.reason, judged.detail))
            continue
        key = judged[0]
        # Nearly always a whole body is of one org and type.
        if group is None or judged[1] != org or judged[2] != event_type:
            _, org, event_type = judged
            group = groups.get((org, event_type))
            if group is None:
                group = groups[org, event_type] = Group(org, event_type)
        group.count += 1
        accepted.append((key.encode(), text, group))
    return Split(accepted, parked, list(groups.values()))


def _too_deep() -> NotJson:
    return NotJson("too_deep", f"the body is nested deeper than {MAX_DEPTH} levels")


# Depth: counting brackets is cheap and nearly always proves that a body is shallow; only else are they followed.

_SHORTEST_DEEP = 2 * MAX_DEPTH
"""An element of that depth has at least so many bytes."""
_SHORTEST_DEEP_STATUS = len(
    '{"eventType":"IM_Message_Status","orgId":1,"payload":{"messageId":1,"messageNewStatus":{"status":"S","":}}}'
) + 2 * (MAX_DEPTH - 3)
"""The same of a status event: what makes it one opens three brackets."""
_STATUS_BRACKETS = 3
"""A status event opens at least these: itself, its payload, its new status."""

_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*+"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = [0] * 256
for _opening, _closing in (b"[]", b"{}"):
    _STEP[_opening], _STEP[_closing] = 1, -1


def _may_be_deep(body: bytes, texts: list[bytes], groups: list[Group]) -> bool:
    """Tell whether some element could be deeper than MAX_DEPTH: it would open at least MAX_DEPTH brackets itself."""
    statuses = sum(group.count for group in groups if group.event_type == STATUS_EVENT)
    if max(map(len, texts), default=0) < (_SHORTEST_DEEP_STATUS if statuses == len(texts) else _SHORTEST_DEEP):
        return False
    opened = _opened(body)
    if opened < MAX_DEPTH + _STATUS_BRACKETS * max(statuses - 1, 0):
        return False
    # The outer array is one level; what is no array has none to add.
    return any(_opened(text) >= MAX_DEPTH for text in texts if len(text) >= 2 * MAX_DEPTH)


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _depth(text: bytes) -> int:
    """Return how deep a valid JSON text is nested: a number has 0, `[]` 1."""
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)
