"""The replay: raw events into their own partition again, each with the place of its first copy.

Every rule takes such a record for its first copy, so sending it any number of times changes no count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from aiokafka import AIOKafkaProducer

from core.clickhouse import ClickHouse
from core.kafka import client_options
from core.settings import Settings
from schemas import topics
from sinks.replay.sources import RawEvent, Selection, from_clickhouse, from_kafka

__all__ = ["RawEvent", "Selection", "replay", "resend"]

AT_ONCE = 2000
"""Records sent before all of them must be acknowledged."""
TELL_S = 1.0
"""The longest between two reports of progress, however low the rate."""


def headers_of(event: RawEvent) -> list[tuple[str, bytes]]:
    """Return the headers of a replayed record."""
    return [
        (topics.HEADER_ORG, event.org_id.encode()),
        (topics.HEADER_TYPE, event.event_type.encode()),
        (topics.HEADER_RECEIVED, b"%d" % event.received),
        (topics.HEADER_DELIVERY, event.delivery.encode()),
        (topics.HEADER_SOURCE, b"replay"),
        (topics.HEADER_ORIGIN, b"%d:%d" % (event.partition, event.offset)),
    ]


async def replay(
    settings: Settings,
    clickhouse: ClickHouse | None,
    selection: Selection,
    *,
    rate: float | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send a selection again, from ClickHouse where it is given, else from Kafka; return how many records.

    `rate` is the most records a second; `dry_run` only counts. Raises KafkaError, WarehouseUnavailableError.
    """
    source = from_clickhouse(clickhouse, selection) if clickhouse is not None else from_kafka(settings, selection)
    if dry_run:
        count = 0
        async for _ in source:
            count += 1
        return count
    return await resend(settings, source, rate=rate, on_progress=on_progress)


async def resend(
    settings: Settings,
    source: AsyncIterator[RawEvent],
    *,
    rate: float | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
    headers: Callable[[RawEvent], list[tuple[str, bytes]]] = headers_of,
) -> int:
    """Append raw events again; returns how many, when all in-sync replicas have them."""
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=settings.kafka_idempotence,
        compression_type="lz4",
        linger_ms=10,
        max_request_size=topics.largest_batch(settings),
    )
    sent, waiting = 0, []
    try:
        await producer.start()
        started = told = monotonic()
        async for event in source:
            waiting.append(
                await producer.send(
                    topics.RAW, event.body, key=event.key, partition=event.partition, headers=headers(event)
                )
            )
            sent += 1
            if len(waiting) >= AT_ONCE or monotonic() - told >= TELL_S:
                await asyncio.gather(*waiting)
                waiting.clear()
                on_progress(sent)
                told = monotonic()
            if rate:
                await asyncio.sleep(max(0.0, started + sent / rate - monotonic()))
        await asyncio.gather(*waiting)
        on_progress(sent)
    finally:
        await producer.stop()
    return sent
