"""aiokafka's records and batches, cheaper: what it would do for each record, or with more effort than it is worth.

Nothing here changes what is read or written. A test holds what this relies on in aiokafka.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.record._crecords import default_records

LZ4_LEVEL: Final = 1
"""aiokafka compresses at level 9, LZ4's slow mode: seven times the time of level 1 for a sixth of the bytes."""


def as_it_is(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its key deserializer, as one that takes plain records: without topic and partition."""
    return key


def use_plain_records() -> None:
    """Give marked consumers aiokafka's own compiled records: copying each into a dataclass is a third of the reading.

    Other consumers of the process see no difference. The filter of aborted transactions and of control batches stays
    aiokafka's.
    """
    fetcher.PartitionRecords._consumer_record = _record  # noqa: SLF001 -- aiokafka offers no other way


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
