"""Kafka's own offsets against the rows in ClickHouse: what one has and the other has not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from core.clickhouse import ClickHouse
from core.kafka import client_options
from core.settings import Settings
from schemas import topics

Row = dict[str, Any]
NEAR = 5_000
"""Records that are read on over: a seek costs a fetch. A replay beside live traffic leaves a gap for each live one."""
AT_ONCE = 5_000


class Stored(NamedTuple):
    """A topic that is stored record by record, and the columns that tell where a row came from."""

    topic: str
    view: str
    partition: str
    offset: str


# Letters as they are: the view shows several letters of one record as one.
STORED = (
    Stored(topics.RAW, "raw_events", "raw_partition", "raw_offset"),
    Stored(topics.DEAD, "dead_letters_log FINAL", "dead_partition", "dead_offset"),
)


async def kafka_differences(settings: Settings, clickhouse: ClickHouse, limit: int) -> list[tuple[str, Row]]:
    """Return records that Kafka still has and ClickHouse has not, and the other way round; each with what it means.

    Offsets that have no row are read in Kafka, and replayed copies among them left out: their rows stand already.
    """
    consumer = AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed")
    await consumer.start()
    found: list[tuple[str, Row]] = []
    try:
        for stored in STORED:
            for number in sorted(consumer.partitions_for_topic(stored.topic) or await _partitions(consumer, stored)):
                found += await _compare(settings, consumer, clickhouse, stored, TopicPartition(stored.topic, number))
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
    settings: Settings, consumer: AIOKafkaConsumer, clickhouse: ClickHouse, stored: Stored, tp: TopicPartition
) -> list[tuple[str, Row]]:
    begin = (await consumer.beginning_offsets([tp]))[tp]
    end = (await consumer.end_offsets([tp]))[tp]
    rows = await clickhouse.rows(_GAPS.format(**stored._asdict()), {"number": tp.partition, "begin": begin, "end": end})
    # What was appended meanwhile may have its row already.
    end = (await consumer.end_offsets([tp]))[tp]
    beyond = await clickhouse.rows(_BEYOND.format(**stored._asdict()), {"number": tp.partition, "end": end})
    missing = await _read(settings, tp, [range(int(row["first"]), int(row["last"]) + 1) for row in rows])
    found = [("a record that has no row", offset) for offset in missing]
    found += [("a row that has no record", int(row["found"])) for row in beyond]
    return [(meaning, {"topic": tp.topic, "partition": tp.partition, "offset": offset}) for meaning, offset in found]


# The end stands in as a row, so that what is missing at the end is a gap too.
_GAPS = """
SELECT before + 1 AS first, at - 1 AS last
FROM
(
    SELECT at, lagInFrame(at, 1, {{begin:Int64}} - 1) OVER (ORDER BY at) AS before
    FROM
    (
        SELECT toInt64({offset}) AS at FROM {view}
        WHERE {partition} = {{number:UInt32}} AND {offset} >= {{begin:Int64}} AND {offset} < {{end:Int64}}
        UNION ALL
        SELECT toInt64({{end:Int64}})
    )
)
WHERE at > before + 1
ORDER BY first
"""

_BEYOND = """
SELECT toInt64({offset}) AS found FROM {view}
WHERE {partition} = {{number:UInt32}} AND {offset} >= {{end:Int64}}
ORDER BY found
"""


async def _read(settings: Settings, tp: TopicPartition, ranges: list[range]) -> list[int]:
    """Return the offsets, of those in `ranges`, of records that must have a row."""
    found: list[int] = []
    if not ranges:
        return found
    # One of its own: what fetches must not be assigned anew while it does.
    consumer = AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed")
    async with consumer:
        consumer.assign([tp])
        for near in together(ranges):
            consumer.seek(tp, near[0].start)
            at = 0
            while await consumer.position(tp) < near[-1].stop:
                for record in (await consumer.getmany(tp, timeout_ms=1000, max_records=AT_ONCE)).get(tp, ()):
                    while at < len(near) and record.offset >= near[at].stop:
                        at += 1
                    if at == len(near):
                        break
                    origin = any(name == topics.HEADER_ORIGIN for name, _ in record.headers)
                    if record.offset in near[at] and not origin:
                        found.append(record.offset)
    return found


def together(ranges: list[range]) -> Iterator[list[range]]:
    """Yield runs of ranges, given in their order, between which reading on is cheaper than seeking."""
    run: list[range] = []
    for each in ranges:
        if run and each.start - run[-1].stop > NEAR:
            yield run
            run = []
        run.append(each)
    if run:
        yield run
