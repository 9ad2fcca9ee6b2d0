"""A delivery as a frame's payload and back. Pure."""

from __future__ import annotations

import msgspec

from core.kafka_writer import Headers
from ingest.body import Group
from ingest.delivery import SPOOL, Delivery
from schemas import topics

_Header = tuple[str, bytes]


class _Group(msgspec.Struct, array_like=True, gc=False):
    org: str
    event_type: str
    headers: list[_Header]


class _Entry(msgspec.Struct, array_like=True, gc=False):
    received_ms: int
    groups: list[_Group]
    raw: list[tuple[bytes, bytes, int]]
    """Key, text, index of the event's group."""
    dead: list[tuple[bytes, list[_Header]]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Entry).decode


def encode(delivery: Delivery) -> bytes:
    """Return the payload; its records' `source` becomes `spool`."""
    index: dict[int, int] = {}
    groups: list[_Group] = []
    raw = []
    for key, text, group in delivery.raw:
        number = index.get(id(group))
        if number is None:
            number = index[id(group)] = len(groups)
            groups.append(_Group(group.org, group.event_type, _from_spool(group.headers)))
        raw.append((key, text, number))
    return _encode(_Entry(delivery.received_ms, groups, raw, delivery.dead))


def decode(payload: bytes) -> Delivery:
    """Return the delivery. Raises msgspec.DecodeError."""
    entry = _decode(payload)
    groups = [Group(group.org, group.event_type, 0, group.headers) for group in entry.groups]
    raw = []
    for key, text, at in entry.raw:
        groups[at].count += 1
        raw.append((key, text, groups[at]))
    return Delivery(entry.received_ms, raw, entry.dead, len(payload))


def _from_spool(headers: Headers) -> list[_Header]:
    return [(name, SPOOL.encode() if name == topics.HEADER_SOURCE else value) for name, value in headers]
