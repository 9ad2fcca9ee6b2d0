"""Kafka's own offsets against the rows in ClickHouse: what one has and the other has not."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from core.clickhouse import ClickHouse
from core.kafka import client_options
from core.settings import Settings
from schemas import topics

Row = dict[str, Any]


class Stored(NamedTuple):
    """A topic that is stored record by record, and the columns that tell where a row came from."""

    topic: str
    view: str
    partition: str
    offset: str


STORED = (
    Stored(topics.RAW, "raw_events", "raw_partition", "raw_offset"),
    Stored(topics.DEAD, "dead_letters", "dead_partition", "dead_offset"),
)


async def kafka_differences(settings: Settings, clickhouse: ClickHouse, limit: int) -> list[tuple[str, Row]]:
    """Return records that Kafka still has and ClickHouse has not, and the other way round; each with what it means.

    Counts are compared first. Only a partition whose counts differ is read, and its replayed copies left out: their
    rows stand already.
    """
    consumer = AIOKafkaConsumer(**client_options(settings.kafka_bootstrap_servers), isolation_level="read_committed")
    await consumer.start()
    found: list[tuple[str, Row]] = []
    try:
        for stored in STORED:
            for number in sorted(consumer.partitions_for_topic(stored.topic) or await _partitions(consumer, stored)):
                found += await _compare(consumer, clickhouse, stored, TopicPartition(stored.topic, number))
    finally:
        await consumer.stop()
    return found[:limit]


async def _partitions(consumer: AIOKafkaConsumer, stored: Stored) -> set[int]:
    """Return the partitions of a topic that the consumer has not heard of yet."""
    await consumer._client.force_metadata_update()  # noqa: SLF001 -- without a subscription nothing public does it
    consumer.subscribe([stored.topic])
    await consumer.getmany(timeout_ms=0)
    found = set(consumer.partitions_for_topic(stored.topic) or ())
    consumer.unsubscribe()
    return found


async def _compare(
    consumer: AIOKafkaConsumer, clickhouse: ClickHouse, stored: Stored, tp: TopicPartition
) -> list[tuple[str, Row]]:
    begin = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    where = f"{stored.partition} = {tp.partition} AND {stored.offset} >= {begin}"
    (row,) = await clickhouse.rows(f"SELECT count() AS rows FROM {stored.view} WHERE {where}")  # noqa: S608 -- our names
    if int(row["rows"]) == end - begin:
        return []
    rows = await clickhouse.rows(f"SELECT {stored.offset} AS offset FROM {stored.view} WHERE {where}")  # noqa: S608
    kept = {int(row["offset"]) for row in rows}
    there = await _read(consumer, tp, begin, end)
    missing = [("a record that has no row", offset) for offset in sorted(there - kept)]
    surplus = [("a row that has no record", offset) for offset in sorted(kept - there)]
    return [
        (meaning, {"topic": tp.topic, "partition": tp.partition, "offset": offset})
        for meaning, offset in missing + surplus
    ]


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int) -> set[int]:
    """Return the offsets of a partition's records that must have a row."""
    consumer.assign([tp])
    consumer.seek(tp, begin)
    found: set[int] = set()
    while await consumer.position(tp) < end:
        for record in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, ()):
            if not any(name == topics.HEADER_ORIGIN for name, _ in record.headers):
                found.add(record.offset)
    consumer.unsubscribe()
    return found
