"""The ingress's connection to Kafka: one idempotent producer, and what it must know of the two topics it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from core.errors import BrokerUnavailableError
from core.kafka import client_options, create_topics, unavailable
from core.kafka_writer import Batch
from core.logs import get
from core.settings import Settings
from schemas import topics

log = get(__name__)

BATCH_BYTES = 512 * 1024
"""Most bytes of records in one batch. Kafka's own default limit of a batch is 1 MiB."""

DEFAULT_LIMIT = 1_048_588
"""Kafka's default `max.message.bytes`, where a broker does not tell."""

REQUEST_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the topics allow: partitions, and the largest batch (so the largest record) in bytes."""

    raw_partitions: int
    dead_partitions: int
    raw_bytes: int
    dead_bytes: int
    batch_bytes: int = BATCH_BYTES
    """Where a batch is full, before compression."""
    lz4: bool = False
    """Whether batches are compressed."""


class Link:
    """A started producer. Whatever fails for good ends it: a new one takes its place, for an idempotent producer
    that lost a batch has a gap in its sequence and can write nothing more to that partition.
    """  # noqa: D205 -- one thought, two lines

    def __init__(self, producer: Any, limits: Limits) -> None:
        self._producer = producer
        self.limits = limits

    async def send(self, topic: str, partition: int, batch: Batch) -> asyncio.Future[Any]:
        """Queue a batch; the future is done when all in-sync replicas have it. Raises KafkaError, AssertionError."""
        future: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        return future

    async def close(self) -> None:
        """Flush and close; what cannot be flushed at once is abandoned."""
        try:
            await asyncio.wait_for(self._producer.stop(), CLOSE_TIMEOUT_S)
        except (TimeoutError, KafkaError):
            await self._abandon()

    async def _abandon(self) -> None:
        # An idempotent producer retries for ever: stop() alone would wait for ever too.
        task = self._producer._sender.sender_task  # noqa: SLF001 -- the only handle on the retries
        if task is not None:
            task.cancel()
        await self._producer.client.close()
        if task is not None:
            with suppress(asyncio.CancelledError, KafkaError, TimeoutError):
                await asyncio.wait_for(task, CLOSE_TIMEOUT_S)


async def connect(settings: Settings) -> Link:
    """Create the topics where they are missing and start a producer.

    Raises BrokerUnavailableError when Kafka cannot be reached, ConfigError when a topic has another number of
    partitions than RAW_PARTITIONS.
    """
    specs = [spec for spec in topics.specs(settings) if spec.name in (topics.RAW, topics.DEAD)]
    counts = await create_topics(
        settings, specs, partitions=settings.raw_partitions, replication=settings.replication_factor
    )
    if not all(counts.get(spec.name) for spec in specs):
        raise BrokerUnavailableError("the topics of the ingress have no leader yet")
    raw_bytes, dead_bytes = await _largest_batches(settings, (topics.RAW, topics.DEAD))
    batch_bytes = min(BATCH_BYTES, raw_bytes, dead_bytes)
    lz4 = settings.ingest_compression == "lz4"
    limits = Limits(counts[topics.RAW], counts[topics.DEAD], raw_bytes, dead_bytes, batch_bytes, lz4)
    return Link(await _start_producer(settings), limits)


async def _start_producer(settings: Settings) -> Any:
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=settings.kafka_idempotence,
        request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
    )
    try:
        await asyncio.wait_for(producer.start(), REQUEST_TIMEOUT_S)
    except (KafkaError, TimeoutError, OSError) as error:
        await Link(producer, Limits(1, 1, 0, 0)).close()
        raise await unavailable(settings, error) from error
    except asyncio.CancelledError:
        await Link(producer, Limits(1, 1, 0, 0)).close()
        raise
    return producer


async def _largest_batches(settings: Settings, names: Iterable[str]) -> list[int]:
    """Return each topic's `max.message.bytes`, Kafka's default where the broker does not tell."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        return [await _largest_batch(admin, name) for name in names]
    except (KafkaError, OSError) as error:
        log.warning("topic limits unknown, assuming the default", error=repr(error))
        return [DEFAULT_LIMIT for _ in names]
    finally:
        await admin.close()


async def _largest_batch(admin: Any, name: str) -> int:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    for response in await admin.describe_configs([resource]):
        for resource_entries in response.resources:
            # error code, error text, type, name, then the entries: name, value, …
            for entry in resource_entries[4]:
                if entry[0] == "max.message.bytes":
                    return int(entry[1])
    return DEFAULT_LIMIT
