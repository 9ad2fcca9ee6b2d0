"""Events straight into Kafka, past the ingress: how benchmarks fill the raw topic."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from aiokafka import AIOKafkaProducer

from core.clock import now_ms
from core.kafka import Kafka, client_options, partition_of
from sandbox.simulator.traffic import Event
from schemas import topics

CHUNK = 20_000


async def load(kafka: Kafka, stream: Iterable[Event], *, topic: str = topics.RAW) -> int:
    """Append all events (broken ones left out) to the raw topic as the ingress would; returns how many.

    `received` is the moment of loading, `source` is `simulator`, `delivery` counts the chunks.
    """
    producer = AIOKafkaProducer(**client_options(kafka), acks="all", compression_type="lz4", linger_ms=20)
    await producer.start()
    total = 0
    try:
        partitions = len(await producer.partitions_for(topic))
        source = iter(stream)
        while chunk := list(islice(source, CHUNK)):
            by_partition: dict[int, list[Event]] = {}
            for event in chunk:
                if event.kind:
                    by_partition.setdefault(partition_of(event.key.encode(), partitions), []).append(event)
            for partition, mine in by_partition.items():
                total += await _append(producer, topic, partition, mine, f"load-{total}")
        await producer.flush()
    finally:
        await producer.stop()
    return total


async def _append(producer: AIOKafkaProducer, topic: str, partition: int, mine: list[Event], delivery: str) -> int:
    batch = producer.create_batch()
    moment = now_ms()
    for event in mine:
        headers = [
            (topics.HEADER_ORG, event.org.encode()),
            (topics.HEADER_TYPE, event.kind.encode()),
            (topics.HEADER_RECEIVED, str(moment).encode()),
            (topics.HEADER_DELIVERY, delivery.encode()),
            (topics.HEADER_SOURCE, b"simulator"),
        ]
        record = {"key": event.key.encode(), "value": event.body, "timestamp": moment, "headers": headers}
        if batch.append(**record) is None:
            await producer.send_batch(batch, topic, partition=partition)
            batch = producer.create_batch()
            batch.append(**record)
    await producer.send_batch(batch, topic, partition=partition)
    return len(mine)
