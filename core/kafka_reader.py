"""The records of a Kafka record batch (format 2), read in one go.

aiokafka's own reader makes each header of each record anew, two thirds of its work. The records of one request have the
same headers, byte for byte: within a batch they share one list here. That pays only where this module is compiled (see
`core.kafka_records`).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from mypy_extensions import i64, mypyc_attr

HEAD: Final = Struct(">qiibI")
"""Base offset, length of what follows it, leader epoch, magic, checksum of the rest."""
HEAD_COUNTED: Final = 9
"""Bytes of the head that count in the length: epoch, magic, checksum."""
BODY: Final = Struct(">hiqqqhii")
"""Attributes, last offset, first and last timestamp, producer's id, epoch and sequence, number of records."""
OVERHEAD: Final = HEAD.size + BODY.size
LZ4: Final = 3
"""The number of that compression in a batch's attributes."""
_CODEC: Final = 0x07
_APPEND_TIME: Final = 0x08
"""Attribute of a batch whose records all have the time at which the broker appended it."""
_LARGEST: Final = (1 << 63) - 1
_LAST_SHIFT: Final = 63
_DECODERS: Final = {1: codec.gzip_decode, 2: codec.snappy_decode, LZ4: codec.lz4_decode, 4: codec.zstd_decode}


Headers = list[tuple[str, bytes | None]]


@mypyc_attr(acyclic=True)
class Record:
    """A record, with what aiokafka's own has. Its headers are shared with others: they are only to be read."""

    __slots__ = ("headers", "key", "offset", "timestamp", "timestamp_type", "value")

    checksum: Final[int | None] = None

    def __init__(  # noqa: PLR0917 -- once a record
        self,
        offset: int,
        timestamp: int,
        timestamp_type: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> None:
        self.offset = offset
        self.timestamp = timestamp
        """Epoch ms."""
        self.timestamp_type = timestamp_type
        self.key = key
        self.value = value
        self.headers = headers


class _Cursor:
    """A place in the bytes of a batch's records."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at: i64 = 0

    def number(self) -> i64:
        """Read a number: zigzag, seven bits a byte."""
        byte: i64 = self.data[self.at]
        self.at += 1
        encoded: i64 = byte & 0x7F
        shift: i64 = 7
        while byte & 0x80:
            if shift > _LAST_SHIFT:
                raise CorruptRecordException("a number has more than 64 bits")
            byte = self.data[self.at]
            self.at += 1
            encoded |= (byte & 0x7F) << shift
            shift += 7
        return (encoded >> 1 & _LARGEST) ^ -(encoded & 1)

    def text(self) -> bytes | None:
        """Read bytes behind their length; a length below zero stands for none."""
        size = self.number()
        if size < 0:
            return None
        start = self.at
        self.at += size
        if self.at > len(self.data):
            raise IndexError
        return self.data[start : self.at]

    def headers(self) -> Headers:
        """Read the headers of a record."""
        found: Headers = []
        for _ in range(self.number()):
            name = self.text()
            if name is None:
                raise CorruptRecordException("a header has no name")
            found.append((name.decode(), self.text()))
        return found


def length_of(batches: bytes, at: int) -> int:
    """Return how many bytes the batch has that begins at a place of a fetch."""
    length: int = HEAD.unpack_from(batches, at)[1]
    return HEAD.size - HEAD_COUNTED + length


def records_of(batch: bytes) -> list[Record]:
    """Return the records of one whole batch, its head included. Raises CorruptRecordException.

    The checksum is not looked at: aiokafka does that.
    """
    base = HEAD.unpack_from(batch)[0]
    attributes, _, first, latest, _, _, _, count = BODY.unpack_from(batch, HEAD.size)
    data = batch[OVERHEAD:]
    if attributes & _CODEC:
        data = _DECODERS[attributes & _CODEC](data)
    try:
        found = _read(_Cursor(data), count, base, first, latest if attributes & _APPEND_TIME else None)
    except IndexError as error:
        raise CorruptRecordException(f"a record reaches past the end of the batch at offset {base}") from error
    return found


def _read(cursor: _Cursor, count: int, base: int, first: int, appended: int | None) -> list[Record]:
    found: list[Record] = []
    known: dict[bytes, Headers] = {}
    kind = 0 if appended is None else 1
    for _ in range(count):
        end = cursor.number()
        end += cursor.at
        cursor.at += 1  # a record's attributes: none is in use
        delta = cursor.number()
        offset = base + cursor.number()
        key, value = cursor.text(), cursor.text()
        written = cursor.data[cursor.at : end]
        headers = known.get(written)
        if headers is None:
            headers = known[written] = cursor.headers()
        else:
            cursor.at = end
        if cursor.at != end:
            raise CorruptRecordException(f"the record at offset {offset} has not the length that it names")
        found.append(Record(offset, first + delta if appended is None else appended, kind, key, value, headers))
    if cursor.at != len(cursor.data):
        raise CorruptRecordException(f"there is more than the records in the batch at offset {base}")
    return found
