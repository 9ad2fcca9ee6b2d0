"""aiokafka's own compiled records, handed out as they are: copying each into a dataclass costs a third of the reading.

The filter of aborted transactions and of control batches stays aiokafka's. A test holds what this relies on.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher


def as_it_is(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its key deserializer, as one that takes plain records: without topic and partition."""
    return key


def use_plain_records() -> None:
    """Give marked consumers plain records; other consumers of the process see no difference."""
    fetcher.PartitionRecords._consumer_record = _record  # noqa: SLF001 -- aiokafka offers no other way


_copied = fetcher.PartitionRecords._consumer_record  # noqa: SLF001


def _record(partition_records: Any, tp: Any, record: Any) -> Any:
    return record if partition_records._key_deserializer is as_it_is else _copied(partition_records, tp, record)  # noqa: SLF001
