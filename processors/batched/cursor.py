"""Where a source partition stands: what may be delivered next, what may be processed next, what may be committed.

Pure: the consumer asks it, and does what it answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

RESEEK_LIMIT: Final = 5
"""A gap is fetched again this often before it is believed: a fetch that raced with a seek looks like one."""


class HasOffset(Protocol):
    """Anything with an offset."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""


RecordT = TypeVar("RecordT", bound=HasOffset)


class Seek(NamedTuple):
    """Fetch again from this offset."""

    offset: int


class Cursor:
    """Position of one assigned source partition, from the committed offset on."""

    def __init__(self, committed: int) -> None:
        self.fetched = committed
        """Next offset to deliver to the stream."""
        self.processed = committed
        """Next offset the step may see."""
        self.lost = 0
        """Offsets that Kafka no longer has (retention, or the remains of an aborted transaction)."""
        self._open: deque[list[int]] = deque()
        self._gaps = 0
        self._after_gap: dict[int, int] = {}

    @property
    def pending(self) -> bool:
        """Whether the step has seen batches that are not done."""
        return bool(self._open)

    def deliver(self, records: Sequence[RecordT]) -> Sequence[RecordT] | Seek:
        """Return what of a fetch continues the delivery (maybe nothing), or where to fetch again."""
        if records[0].offset < self.fetched:
            records = [record for record in records if record.offset >= self.fetched]
        if not records:
            return records
        first = records[0].offset
        if first > self.fetched:
            self._gaps += 1
            if self._gaps <= RESEEK_LIMIT:
                return Seek(self.fetched)
            self.lost += first - self.fetched
            self._after_gap = {first: self.fetched}
        self._gaps = 0
        self.fetched = records[-1].offset + 1
        return records

    def accept(self, first: int, last: int) -> int | Seek | None:
        """Say from which offset on the step may see a delivered batch; None when it has seen all of it.

        Seek when a batch in between never arrived: everything delivered since is void.
        """
        if last < self.processed:
            return None
        if first > self.processed and not self._is_next(first):
            self._open.clear()
            self.fetched = self.processed
            return Seek(self.processed)
        start = max(first, self.processed)
        self.processed = last + 1
        self._open.append([last, 0])
        return start

    def _is_next(self, first: int) -> bool:
        """Tell whether a believed gap, and nothing else, lies between what was processed and this batch."""
        return first in self._after_gap and self._after_gap[first] == self.processed

    def ack(self, last: int) -> int | None:
        """Mark the batch that ends at `last` as done; return the offset that may now be committed, if it grew."""
        for entry in self._open:
            if entry[0] == last:
                entry[1] = 1
        committable = None
        while self._open and self._open[0][1]:
            committable = self._open.popleft()[0] + 1
        return committable
