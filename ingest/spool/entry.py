"""A delivery as a frame's payload and back. Pure."""

from __future__ import annotations

import msgspec

from ingest.delivery import SPOOL, Delivery, Headers
from schemas import topics

_Header = tuple[str, bytes]


class _Entry(msgspec.Struct, array_like=True, gc=False):
    received_ms: int
    tables: list[list[_Header]]
    """Header lists, each shared by many records."""
    raw: list[tuple[bytes, bytes, int]]
    """Key, value, index of the record's headers."""
    dead: list[tuple[bytes, list[_Header]]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Entry).decode


def encode(delivery: Delivery) -> bytes:
    """Return the payload; its records' `source` becomes `spool`."""
    index: dict[int, int] = {}
    tables: list[list[_Header]] = []
    raw = []
    for key, value, headers in delivery.raw:
        number = index.get(id(headers))
        if number is None:
            number = index[id(headers)] = len(tables)
            tables.append(_from_spool(headers))
        raw.append((key, value, number))
    return _encode(_Entry(delivery.received_ms, tables, raw, delivery.dead))


def decode(payload: bytes) -> Delivery:
    """Return the delivery. Raises msgspec.DecodeError."""
    entry = _decode(payload)
    tables = entry.tables
    raw = [(key, value, tables[at]) for key, value, at in entry.raw]
    return Delivery(entry.received_ms, raw, entry.dead, len(payload))


def _from_spool(headers: Headers) -> list[_Header]:
    return [(name, SPOOL.encode() if name == topics.HEADER_SOURCE else value) for name, value in headers]
