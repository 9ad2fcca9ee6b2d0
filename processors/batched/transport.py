"""The transport: Faust's aiokafka driver with our consumer, and a producer that is idempotent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.consumer import fetcher
from faust.transport.drivers import aiokafka as driver

from processors.batched.consumer import BatchConsumer


class BatchProducer(driver.Producer):
    """Idempotent where the broker can, so that a retried batch is written once and batches keep their order."""

    app: Any

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": self.app.idempotence}


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads only what was committed: what a transaction took back never reaches a step."""

    app: Any

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 -- Faust offers it only with exactly_once
        consumer._key_deserializer = as_it_is  # noqa: SLF001 -- Faust offers none
        consumer._client_rack = self.app.rack or None  # noqa: SLF001 -- likewise
        return consumer


class CommittedConsumer(BatchConsumer):
    """A batch consumer on such a thread."""

    def _new_consumer_thread(self) -> Any:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)


class BatchTransport(driver.Transport):
    """The batch transport."""

    Consumer = CommittedConsumer
    Producer = BatchProducer


def as_it_is(key: bytes | None) -> bytes | None:
    """Mark a consumer, as its key deserializer, as one that takes aiokafka's own records."""
    return key


def use_plain_records() -> None:
    """Let aiokafka hand out its own compiled records to marked consumers, instead of copying each into a dataclass.

    Other consumers of the process see no difference. The filter of aborted transactions and of control batches stays
    aiokafka's.
    """
    fetcher.PartitionRecords._consumer_record = _record  # noqa: SLF001


_copied = fetcher.PartitionRecords._consumer_record  # noqa: SLF001


def _record(partition_records: Any, tp: Any, record: Any) -> Any:
    return record if partition_records._key_deserializer is as_it_is else _copied(partition_records, tp, record)  # noqa: SLF001
