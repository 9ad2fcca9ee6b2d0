"""Kafka's record batches, written straight from what the ingress holds.

The producer's own builder encodes the five headers of every record anew, which costs as much as reading the event. Here
they are encoded once for all events of one org and type in a request. The bytes are the same to the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from aiokafka.record.util import calc_crc32c

from core.kafka import partition_of
from core.kafka_reader import BODY, HEAD, HEAD_COUNTED, LZ4, OVERHEAD
from core.kafka_records import quick_lz4
from ingest.body import Accepted
from ingest.delivery import Headers

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


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    encoded = name.encode()
    return varint(len(encoded)) + encoded


def encode_headers(headers: Headers) -> bytes:
    """Encode the headers of a record, their number in front."""
    parts = [varint(len(headers))]
    for name, value in headers:
        size = len(value)
        parts += (_name(name), _VARINTS[size] if size < _KNOWN else varint(size), value)
    return b"".join(parts)


class Batch:
    """The records of one partition. Has what the producer asks of its own BatchBuilder, and no more."""

    __slots__ = (
        "_buffer",
        "_count",
        "_delta",
        "_first",
        "_latest",
        "_limit",
        "_lz4",
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
        self._delta = b""
        self._producer = (-1, -1, 0)
        self._buffer: bytes | None = None

    def append(self, stamp: int, key: bytes | None, value: bytes, headers: bytes) -> bool:
        """Add a record with encoded headers; `stamp` is in epoch milliseconds. False: the batch is full."""
        count = self._count
        if stamp != self._stamp or not count:
            self._begin_stamp(stamp)
        delta = self._delta
        offset = _VARINTS[count] if count < _KNOWN else varint(count)
        size = len(value)
        value_size = _VARINTS[size] if size < _KNOWN else varint(size)
        if key is None:
            key_size, key = _NULL, b""
        else:
            key_size = _VARINTS[len(key)] if len(key) < _KNOWN else varint(len(key))
        length = 1 + len(delta) + len(offset) + len(key_size) + len(key) + len(value_size) + size + len(headers)
        encoded = _VARINTS[length] if length < _KNOWN else varint(length)
        total = self._size + len(encoded) + length
        if total > self._limit and count:
            return False
        self._parts += (encoded, b"\0", delta, offset, key_size, key, value_size, value, headers)
        self._size = total
        self._count = count + 1
        self._latest = max(self._latest, stamp)
        return True

    def _begin_stamp(self, stamp: int) -> None:
        """Note the time of the records that follow."""
        if not self._count:
            self._first = self._latest = stamp
        self._stamp = stamp
        self._delta = varint(stamp - self._first)

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
        if self._lz4 and len(packed := quick_lz4(records)) < len(records):
            records, attributes = packed, LZ4
        times = (self._first, self._latest)
        rest = BODY.pack(attributes, self._count - 1, *times, *self._producer, self._count) + records
        return HEAD.pack(0, HEAD_COUNTED + len(rest), _NO_EPOCH, _MAGIC, calc_crc32c(rest)) + rest


class Batches:
    """The batches of one topic that are produced together, by partition."""

    __slots__ = ("_limit", "_lz4", "_runs")

    def __init__(self, partitions: int, limit: int, *, lz4: bool) -> None:
        """Begin with none; each is to have at most `limit` bytes before compression."""
        self._limit = limit
        self._lz4 = lz4
        self._runs: list[list[Batch]] = [[] for _ in range(partitions)]

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Yield each batch with its partition."""
        for partition, runs in enumerate(self._runs):
            for batch in runs:
                yield partition, batch

    def add_events(self, stamp: int, events: list[Accepted]) -> None:
        """Add the events of a request, each to the partition of its key."""
        last, headers = None, b""
        for key, value, group in events:
            if group is not last:
                last, headers = group, encode_headers(group.headers)
            self._add(partition_of(key, len(self._runs)), stamp, key, value, headers)

    def add_letter(self, stamp: int, value: bytes, headers: Headers) -> None:
        """Add a dead letter: without a key, to the partition of its text."""
        self._add(partition_of(value, len(self._runs)), stamp, None, value, encode_headers(headers))

    def _add(self, partition: int, stamp: int, key: bytes | None, value: bytes, headers: bytes) -> None:
        runs = self._runs[partition]
        if runs and runs[-1].append(stamp, key, value, headers):
            return
        batch = Batch(self._limit, lz4=self._lz4)
        if not batch.append(stamp, key, value, headers):
            raise AssertionError("an empty batch refused its first record")
        runs.append(batch)
