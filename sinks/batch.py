"""Batches of one topic partition: what has been read and not inserted yet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice, takewhile
from typing import Any, NamedTuple

from sinks.rows import Line, Target, Unusable

MAX_BYTES = 16 * 1024 * 1024


class Batch(NamedTuple):
    """Rows of a contiguous run of offsets, ready to insert: a record and a line for each, side by side."""

    topic: str
    partition: int
    records: Sequence[Any]
    lines: Sequence[bytes]
    unusable: Sequence[tuple[Any, Unusable]]
    first: int
    last: int
    """Last offset of the run; records without a row are in it too."""

    def body(self) -> bytes:
        """Return the lines."""
        return b"\n".join(self.lines)

    def token(self) -> str:
        """Return what makes a repeated insert of the same rows one insert."""
        if not self.records:
            return ""
        return f"{self.topic}-{self.partition}-{self.records[0].offset}-{self.records[-1].offset}"

    def halves(self) -> tuple[Batch, Batch]:
        """Split, to find the row that is refused."""
        middle = len(self.lines) // 2
        return (
            self._replace(records=self.records[:middle], lines=self.lines[:middle]),
            self._replace(records=self.records[middle:], lines=self.lines[middle:]),
        )


class Load(NamedTuple):
    """Batches of several partitions of one topic, inserted at once: an insert costs as much as thousands of rows."""

    batches: tuple[Batch, ...]

    @property
    def topic(self) -> str:
        """The topic of all of them."""
        return self.batches[0].topic

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(batch.lines) for batch in self.batches)

    def body(self) -> bytes:
        """Return the lines."""
        return b"\n".join(batch.body() for batch in self.batches if batch.lines)

    def token(self) -> str:
        """Return what makes a repeated insert of the same rows one insert."""
        return ";".join(batch.token() for batch in self.batches if batch.lines)

    def halves(self) -> tuple[Load, Load]:
        """Split, to find the row that is refused: between partitions, and a single one in the middle."""
        filled = tuple(batch for batch in self.batches if batch.lines)
        if len(filled) == 1:
            one, other = filled[0].halves()
            return Load((one,)), Load((other,))
        return Load(filled[: len(filled) // 2]), Load(filled[len(filled) // 2 :])


class Buffer:
    """Records of one topic partition that wait for their insert. Times are a monotonic clock's seconds."""

    def __init__(self, target: Target, partition: int) -> None:
        self._make = target.line
        self._partition = partition
        self._records: list[Any] = []
        self._lines: list[Line] = []
        self.bytes = 0
        self.since = 0.0
        """When the oldest record came in."""

    def __len__(self) -> int:
        return len(self._records)

    @property
    def next_offset(self) -> int:
        """The offset behind the newest record; 0 where there is none."""
        return self._records[-1].offset + 1 if self._records else 0

    def add(self, records: Sequence[Any], now: float) -> None:
        """Append records in offset order."""
        if not self._records:
            self.since = now
        make, partition = self._make, self._partition
        lines = [make(record, partition) for record in records]
        self._records += records
        self._lines += lines
        self.bytes += _size(lines)

    def due(self, now: float, *, rows: int, age: float) -> bool:
        """Whether it is time for an insert."""
        if not self._records:
            return False
        return len(self._records) >= rows or self.bytes >= MAX_BYTES or now >= self.since + age

    def take(self, topic: str, *, rows: int, now: float, size: int = MAX_BYTES) -> Batch:
        """Take up to `rows` records or `size` bytes, oldest first; at least one."""
        number = self._fitting(max(rows, 1), size)
        records, lines = self._records[:number], self._lines[:number]
        del self._records[:number], self._lines[:number]
        self.bytes -= _size(lines)
        self.since = now
        usable = [(record, line) for record, line in zip(records, lines, strict=True) if isinstance(line, bytes)]
        return Batch(
            topic,
            self._partition,
            [record for record, _ in usable],
            [line for _, line in usable],
            [(record, line) for record, line in zip(records, lines, strict=True) if isinstance(line, Unusable)],
            records[0].offset,
            records[-1].offset,
        )

    def _fitting(self, rows: int, size: int) -> int:
        """Return how many of the oldest records, up to `rows`, have no more than `size` bytes; at least one."""
        rows = min(rows, len(self._records))
        if self.bytes <= size:
            return rows
        sizes = accumulate(len(line) if isinstance(line, bytes) else 0 for line in islice(self._lines, rows))
        return max(1, sum(1 for _ in takewhile(size.__ge__, sizes)))


def _size(lines: Sequence[Line]) -> int:
    return sum(len(line) for line in lines if isinstance(line, bytes))
