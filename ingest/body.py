"""A request body to events: pure, from bytes to what is accepted and what is parked.

The text is checked as a whole before anything is taken from it: UTF-8, JSON's grammar, nesting. The grammar check is
msgspec's (strict in escapes, numbers, control characters and surrogate pairs); it looks at neither UTF-8 nor depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from schemas.events import STATUS_EVENT, Rejected, org_of, route

MAX_DEPTH = 128
BOM = b"\xef\xbb\xbf"
SPACE = b" \t\r\n"
"""JSON's white space."""

Accepted = tuple[bytes, bytes, str, str]
"""Kafka key, the element's exact text, org ('' when it names none), event type."""


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


def is_of_org(found: Split, org: str) -> bool:
    """Tell whether every element, accepted or parked, names this org."""
    return all(event[2] == org for event in found.accepted) and all(org_of(item.text) == org for item in found.parked)


@dataclass(frozen=True, slots=True)
class NotJson:
    """The body as a whole cannot be read: a reason for counting, a sentence for a person."""

    reason: str
    detail: str


_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.json.Decoder(msgspec.Raw).decode


def strip(body: bytes) -> bytes:
    """Return the body without byte order mark and surrounding white space."""
    return (body[3:] if body.startswith(BOM) else body).strip(SPACE)


def split(body: bytes) -> Split | NotJson:
    """Split a stripped, non-empty body into its elements; any JSON value but an array is an array of one."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return NotJson("invalid_utf8", f"the body is not UTF-8 at byte {error.start}")
    try:
        texts = list(map(bytes, _decode_array(body))) if body[:1] == b"[" else [bytes(_decode_one(body))]
    except RecursionError:
        return _too_deep()
    except msgspec.DecodeError as error:
        return NotJson("not_json", f"the body is not JSON: {error}")
    accepted, parked, statuses = _route(texts)
    if _may_be_deep(body, texts, statuses) and _depth(body) > MAX_DEPTH:
        return _too_deep()
    return Split(accepted, parked)


def _route(texts: list[bytes]) -> tuple[list[Accepted], list[Parked], int]:
    """Judge every element; also returns how many are status events."""
    accepted: list[Accepted] = []
    parked: list[Parked] = []
    statuses = 0
    for text in texts:
        judged = route(text)
        if isinstance(judged, Rejected):
            parked.append(Parked(text, judged.reason, judged.detail))
            continue
        key, org, event_type = judged
        if event_type == STATUS_EVENT:
            statuses += 1
        accepted.append((key.encode(), text, org, event_type))
    return accepted, parked, statuses


def _too_deep() -> NotJson:
    return NotJson("too_deep", f"the body is nested deeper than {MAX_DEPTH} levels")


# Depth: counting brackets is cheap and nearly always proves that a body is shallow; only else are they followed.

_STATUS_BRACKETS = 3
"""A status event opens at least these: itself, its payload, its new status."""

_STRING = re.compile(rb'"(?:[^"\\]+|\\.)*+"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = [0] * 256
for _opening, _closing in (b"[]", b"{}"):
    _STEP[_opening], _STEP[_closing] = 1, -1


def _may_be_deep(body: bytes, texts: list[bytes], statuses: int) -> bool:
    """Tell whether some element could be deeper than MAX_DEPTH: it would open at least MAX_DEPTH brackets itself."""
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
