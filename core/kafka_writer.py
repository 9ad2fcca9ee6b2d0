"""Kafka's record batches (format 2), written from their records: the bytes are those that aiokafka's own builder makes.

That builder encodes the headers of each record anew, and its buffer grows with every record. Here headers are encoded
once for all records that share them, and the parts of a batch are joined once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiokafka import codec
from aiokafka.record.util import calc_crc32c

from core.kafka_reader import BODY, HEAD, HEAD_COUNTED, LZ4, OVERHEAD

Headers = list[tuple[str, bytes]]
"""Headers of a record, in order."""

LZ4_LEVEL: Final = 1
"""aiokafka compresses at level 9, LZ4's slow mode: seven times the time of level 1 for a sixth of the bytes."""
_MAGIC: Final = 2
_NO_EPOCH: Final = -1


def varint(number: int) -> bytes:
    """Encode a number of at most 64 bits as Kafka does: zigzag, seven bits a byte."""
    rest = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 -- seven bits
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


_KNOWN: Final = 1 << 14
_VARINTS: Final = [varint(number) for number in range(_KNOWN)]
_NULL: Final = varint(-1)
NO_HEADERS: Final = varint(0)


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    encoded = name.encode()
    return varint(len(encoded)) + encoded


def encode_headers(headers: Headers) -> bytes:
    """Encode the headers of a record, their number in front."""
    parts = [varint(len(headers))]
    for name, value in headers:
        parts += (_name(name), _size(len(value)), value)
    return b"".join(parts)


def _size(number: int) -> bytes:
    return _VARINTS[number] if number < _KNOWN else varint(number)


class Batch:
    """The records of one partition. Has what the producer asks of its own BatchBuilder, and no more."""

    __slots__ = (
        "_buffer",
        "_count",
        "_first",
        "_latest",
        "_limit",
        "_lz4",
        "_mark",
        "_parts",
        "_producer",
        "_size",
        "_stamp",
    )

    def __init__(self, limit: int, *, lz4: bool) -> None:
        """Begin a batch of at most `limit` bytes before compression; one record may be larger."""
        self._limit = limit
        self._lz4 = lz4
        self._parts: list[bytes] = []
        self._size = OVERHEAD
        self._count = 0
        self._first = self._stamp = self._latest = 0
        self._mark = b""
        """How records of the newest time begin: no attributes, and the time as its distance from the first."""
        self._producer = (-1, -1, 0)
        self._buffer: bytes | None = None

    def append(self, stamp: int, key: bytes | None, value: bytes | None, headers: bytes) -> bool:
        """Add a record with encoded headers; `stamp` is in epoch milliseconds. False: the batch is full."""
        count = self._count
        if stamp != self._stamp or not count:
            self._begin_stamp(stamp)
        mark, offset = self._mark, _size(count)
        key_size, value_size = _NULL, _NULL
        if key is None:
            key = b""
        else:
            key_size = _size(len(key))
        if value is None:
            value = b""
        else:
            value_size = _size(len(value))
        length = len(mark) + len(offset) + len(key_size) + len(key) + len(value_size) + len(value) + len(headers)
        encoded = _size(length)
        total = self._size + len(encoded) + length
        if total > self._limit and count:
            return False
        self._parts += (encoded, mark, offset, key_size, key, value_size, value, headers)
        self._size = total
        self._count = count + 1
        self._latest = max(self._latest, stamp)
        return True

    def _begin_stamp(self, stamp: int) -> None:
        """Note the time of the records that follow."""
        if not self._count:
            self._first = self._latest = stamp
        self._stamp = stamp
        self._mark = b"\0" + varint(stamp - self._first)

    # What aiokafka's accumulator and sender call.

    def record_count(self) -> int:
        """Return how many records there are."""
        return self._count

    def size(self) -> int:
        """Return the size in bytes, before compression."""
        return self._size

    def close(self) -> None:
        """Do nothing: whoever submits a batch adds no more to it."""

    def closed(self) -> bool:
        """Tell that the batch need not wait for more."""
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        """Return the bytes of the batch; a retry sends the same."""
        if self._buffer is None:
            self._buffer = self._encode()
            self._parts = []
        return self._buffer

    def _encode(self) -> bytes:
        records = b"".join(self._parts)
        attributes = 0
        if self._lz4 and len(packed := codec.lz4_encode(records, level=LZ4_LEVEL)) < len(records):
            records, attributes = packed, LZ4
        times = (self._first, self._latest)
        rest = BODY.pack(attributes, self._count - 1, *times, *self._producer, self._count) + records
        return HEAD.pack(0, HEAD_COUNTED + len(rest), _NO_EPOCH, _MAGIC, calc_crc32c(rest)) + rest


class Run:
    """The batches of one partition, one after the other as they fill."""

    __slots__ = ("_limit", "_lz4", "batches")

    def __init__(self, limit: int, *, lz4: bool) -> None:
        """Begin with none; each is to have at most `limit` bytes before compression."""
        self._limit = limit
        self._lz4 = lz4
        self.batches: list[Batch] = []

    def append(self, stamp: int, key: bytes | None, value: bytes | None, headers: bytes) -> None:
        """Add a record with encoded headers; `stamp` is in epoch milliseconds."""
        if self.batches and self.batches[-1].append(stamp, key, value, headers):
            return
        batch = Batch(self._limit, lz4=self._lz4)
        self.batches.append(batch)
        if not batch.append(stamp, key, value, headers):
            raise AssertionError("an empty batch refused its first record")
