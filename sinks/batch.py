"""Batches of one topic partition: what has been read and not inserted yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sinks.rows import Line, Target, Unusable

MAX_BYTES = 16 * 1024 * 1024


class Row(NamedTuple):
    """A record and the line made of it."""

    record: Any
    line: bytes


class Batch(NamedTuple):
    """Rows of a contiguous run of offsets, ready to insert."""

    topic: str
    partition: int
    rows: Sequence[Row]
    unusable: Sequence[tuple[Any, Unusable]]
    first: int
    last: int
    """Last offset of the run; records without a row are in it too."""

    def body(self) -> bytes:
        """Return the lines."""
        return b"\n".join(row.line for row in self.rows)

    def token(self) -> str:
        """Return what makes a repeated insert of the same rows one insert."""
        if not self.rows:
            return ""
        first, last = self.rows[0].record.offset, self.rows[-1].record.offset
        return f"{self.topic}-{self.partition}-{first}-{last}"

    def halves(self) -> tuple[Batch, Batch]:
        """Split, to find the row that is refused."""
        middle = len(self.rows) // 2
        return self._replace(rows=self.rows[:middle]), self._replace(rows=self.rows[middle:])


class Buffer:
    """Records of one topic partition that wait for their insert. Times are a monotonic clock's seconds."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._records: list[tuple[Any, Line]] = []
        self.bytes = 0
        self.since = 0.0
        """When the oldest record came in."""

    def __len__(self) -> int:
        return len(self._records)

    def add(self, records: Sequence[Any], now: float) -> None:
        """Append records in offset order."""
        if not self._records:
            self.since = now
        make = self._target.line
        for record in records:
            line = make(record)
            self._records.append((record, line))
            self.bytes += len(line) if isinstance(line, bytes) else 0

    def due(self, now: float, *, rows: int, age: float) -> bool:
        """Whether it is time for an insert."""
        if not self._records:
            return False
        return len(self._records) >= rows or self.bytes >= MAX_BYTES or now >= self.since + age

    def take(self, topic: str, partition: int, *, rows: int, now: float) -> Batch:
        """Take up to `rows` records or MAX_BYTES, oldest first; at least one."""
        taken: list[tuple[Any, Line]] = []
        size = 0
        for record, line in self._records[:rows]:
            length = len(line) if isinstance(line, bytes) else 0
            if taken and size + length > MAX_BYTES:
                break
            taken.append((record, line))
            size += length
        del self._records[: len(taken)]
        self.bytes -= size
        self.since = now
        return Batch(
            topic,
            partition,
            [Row(record, line) for record, line in taken if isinstance(line, bytes)],
            [(record, line) for record, line in taken if isinstance(line, Unusable)],
            taken[0][0].offset,
            taken[-1][0].offset,
        )
