"""The transport: Faust's aiokafka driver with our consumer, and a producer that is idempotent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver

from core.kafka_records import as_it_is
from processors.batched.consumer import BatchConsumer

FETCH_BYTES: Final = 256 * 1024
FETCH_WAIT_MS: Final = 100
"""A fetch waits for so many bytes, but no longer: most of what follows costs the same for one record and for many."""


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
        consumer._fetch_min_bytes = FETCH_BYTES  # noqa: SLF001 -- likewise
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 -- likewise
        return consumer


class CommittedConsumer(BatchConsumer):
    """A batch consumer on such a thread."""

    def _new_consumer_thread(self) -> Any:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)


class BatchTransport(driver.Transport):
    """The batch transport."""

    Consumer = CommittedConsumer
    Producer = BatchProducer
