"""aiokafka's records and batches, cheaper: what it would do for each record, or with more effort than it is worth.

Nothing here changes what is read or written. A test holds what this relies on in aiokafka.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record._crecords import DefaultRecordBatch, MemoryRecords, default_records

from core.build import COMPILED
from core.kafka_reader import length_of, records_of

LZ4_LEVEL: Final = 1
"""aiokafka compresses at level 9, LZ4's slow mode: seven times the time of level 1 for a sixth of the bytes."""


def as_it_is(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its key deserializer, as one that takes plain records: without topic and partition."""
    return key


def use_plain_records() -> None:
    """Give marked consumers records as they were read: copying each into a dataclass is a third of the reading.

    Other consumers of the process see no difference. The filter of aborted transactions and of control batches stays
    aiokafka's.
    """
    fetcher.PartitionRecords._consumer_record = _record  # noqa: SLF001 -- aiokafka offers no other way
    if COMPILED:
        fetcher.MemoryRecords = Batches


class Batches(MemoryRecords):  # type: ignore[misc]  # aiokafka is untyped
    """The batches of a fetch, whose records `core.kafka_reader` reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self._at = 0

    def next_batch(self) -> Any:
        """Return the next batch; one of an older format, or a transaction's marker, is read as ever."""
        batch = super().next_batch()
        start = self._at
        self._at += length_of(self._data, start)
        if type(batch) is not DefaultRecordBatch or batch.is_control_batch:
            return batch
        return Batch(batch, self._data[start : self._at])


class Batch:
    """A batch of aiokafka's, but for its records."""

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(records_of(self._data))


_copied = fetcher.PartitionRecords._consumer_record  # noqa: SLF001


def _record(partition_records: Any, tp: Any, record: Any) -> Any:
    return record if partition_records._key_deserializer is as_it_is else _copied(partition_records, tp, record)  # noqa: SLF001


def quick_lz4(payload: bytes | memoryview) -> bytes:
    """Return an LZ4 frame as Kafka reads it."""
    frame: bytes = codec.lz4_encode(payload, level=LZ4_LEVEL)
    return frame


def use_quick_lz4() -> None:
    """Let every producer of the process compress so."""
    default_records.lz4_encode = quick_lz4
