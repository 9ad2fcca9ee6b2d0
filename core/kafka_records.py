"""aiokafka's records and batches read with less work: what it would do for each record is done for a batch.

Nothing here changes what is read. A test holds what this relies on in aiokafka.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record._crecords import DefaultRecordBatch, MemoryRecords

from core.build import COMPILED
from core.kafka_reader import length_of, records_of


def as_it_is(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its key deserializer, as one that takes plain records: without topic and partition."""
    return key


def use_plain_records() -> None:
    """Give marked consumers records as they were read, a batch at a time.

    Copying each record into a dataclass is a third of the reading, and what aiokafka runs for each of them as much
    again. Other consumers of the process see no difference. The filter of aborted transactions and of control batches
    stays aiokafka's: it works on batches.
    """
    fetcher.MemoryRecords = Batches
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult


class Whole:
    """The records of a batch in the place of one record, which is how aiokafka takes it."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records
        self.offset: int = records[-1].offset
        """What aiokafka goes by: a batch that ends before the position is passed over."""

    def since(self, offset: int) -> list[Any]:
        """Return the records from an offset on: a fetch may begin in the middle of a batch."""
        if self.records[0].offset >= offset:
            return self.records
        return [record for record in self.records if record.offset >= offset]


class _Batch:
    """A batch of aiokafka's; each of the classes below gives its records in another way."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)


class QuickBatch(_Batch):
    """Its records, as `core.kafka_reader` reads them from the batch's bytes."""

    def __init__(self, batch: Any, data: bytes) -> None:
        super().__init__(batch)
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        return iter(records_of(self._data))


class WholeBatch(_Batch):
    """All its records as one Whole; none where compaction has left nothing."""

    def __iter__(self) -> Iterator[Whole]:
        records = list(self._batch)
        return iter([Whole(records)] if records else [])


class Batches(MemoryRecords):  # type: ignore[misc]  # aiokafka is untyped
    """The batches of a fetch; `core.kafka_reader` reads their records where it is compiled."""

    whole = False
    """Whether each batch comes in one piece."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self._at = 0

    def next_batch(self) -> Any:
        """Return the next batch; a transaction's marker is read as ever."""
        batch = super().next_batch()
        start = self._at
        self._at += length_of(self._data, start)
        if batch.is_control_batch:
            return batch
        if COMPILED and type(batch) is DefaultRecordBatch:
            batch = QuickBatch(batch, self._data[start : self._at])
        return WholeBatch(batch) if self.whole else batch


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of a partition, as aiokafka hands it on: records, or whole batches for a marked consumer."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.is_whole = self._key_deserializer is as_it_is
        if self.is_whole:
            self._records.whole = True

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self.is_whole else super()._consumer_record(tp, record)


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of a partition, as a consumer asks for it: a marked one takes what it wants of whole batches."""

    _partition_records: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_whole = self._partition_records.is_whole
        self._left: list[Any] = []
        """Records of the last batch."""
        self._taken = 0
        """How many of them the consumer has."""

    def getone(self) -> Any:
        """Return the next record, None where there is none."""
        return next(iter(self._take(1)), None) if self._is_whole else super().getone()

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records."""
        if self._is_whole:
            return self._take(sys.maxsize if max_records is None else max_records)
        found: list[Any] = super().getall(max_records)
        return found

    def _take(self, most: int) -> list[Any]:
        if not self.has_more() or not self.check_assignment(self._topic_partition):
            return []
        found: list[Any] = []
        fetched = self._partition_records
        while len(found) < most:
            if self._taken == len(self._left):
                # Before the next batch is asked for: that moves the position to its own end.
                position = fetched.next_fetch_offset
                whole = next(fetched, None)
                if whole is None:
                    self._update_position()
                    self._partition_records = None
                    return found
                self._left, self._taken = whole.since(position), 0
            taken = self._left[self._taken : self._taken + most - len(found)]
            self._taken += len(taken)
            found += taken
            # Where the consumer will be, also in the middle of a batch. When the batch is done, aiokafka goes on from
            # the batch's own end, which may be further: compaction may have taken its last records.
            fetched.next_fetch_offset = found[-1].offset + 1
        self._update_position()
        return found
