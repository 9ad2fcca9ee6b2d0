"""The restore: raw events of an older database as the first records of a new raw topic.

For a Kafka cluster that was lost, or whose retention has passed what a restatement needs. The events keep all that is
known of them and stay in their partition's order, so that every rule decides as it did; their offsets are new ones, and
so what follows from them belongs into a database of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from core.clickhouse import ClickHouse
from core.errors import ConfigError
from core.kafka import client_options, create_topics
from core.settings import Settings
from schemas import topics
from sinks.replay.replay import headers_of, resend
from sinks.replay.sources import RawEvent, Selection, from_clickhouse

_EVER = Selection(0, 9_000_000_000_000)


async def restore(
    settings: Settings,
    old: ClickHouse,
    *,
    rate: float | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Append the raw events of the database that `old` reads; return how many were not there yet.

    One that was interrupted is continued. Raises ConfigError where the raw topic has other partitions than the events,
    or other records; KafkaError, WarehouseUnavailableError.
    """
    counts = await create_topics(
        settings,
        topics.specs(settings),
        partitions=settings.raw_partitions,
        replication=settings.replication_factor,
    )
    last = await _last_records(settings, counts[topics.RAW])
    return await resend(settings, _missing(old, last), rate=rate, on_progress=on_progress, headers=_as_received)


def _as_received(event: RawEvent) -> list[tuple[str, bytes]]:
    """Return the headers that the ingress gave the event."""
    told = {**dict(headers_of(event)), topics.HEADER_SOURCE: event.source.encode()}
    return [(name, value) for name, value in told.items() if name != topics.HEADER_ORIGIN]


async def _last_records(settings: Settings, partitions: int) -> dict[int, tuple[int, bytes]]:
    """Return of each raw partition how many records it has, and the last one's value."""
    parts = [TopicPartition(topics.RAW, number) for number in range(partitions)]
    found: dict[int, tuple[int, bytes]] = {}
    async with AIOKafkaConsumer(**client_options(settings)) as consumer:
        consumer.assign(parts)
        for part, end in (await consumer.end_offsets(parts)).items():
            value = b""
            if end:
                consumer.seek(part, end - 1)
                value = (await consumer.getone(part)).value or b""
            found[part.partition] = (end, value)
    return found


async def _missing(old: ClickHouse, last: dict[int, tuple[int, bytes]]) -> AsyncIterator[RawEvent]:
    """Yield the events behind those that the topic has already. Raises ConfigError where it has others."""
    seen: dict[int, int] = dict.fromkeys(last, 0)
    async for event in from_clickhouse(old, _EVER):
        if event.partition not in seen:
            raise ConfigError(
                f"an event is of partition {event.partition}, {topics.RAW} has {len(last)} partitions",
                fix="Restore into a topic with as many partitions: set RAW_PARTITIONS as it was",
            )
        there, value = last[event.partition]
        seen[event.partition] += 1
        if seen[event.partition] == there and value != event.body:
            raise _others(event.partition)
        if seen[event.partition] > there:
            yield event
    for partition, (there, _) in last.items():
        if seen[partition] < there:
            raise _others(partition)


def _others(partition: Any) -> ConfigError:
    return ConfigError(
        f"partition {partition} of {topics.RAW} holds records that are not those of the old database",
        fix="Restore into an empty topic, before the ingress takes events in",
    )
