"""Raw records read back from Kafka: the exact way into the answer key."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer

from core.kafka import Kafka, client_options
from sandbox.answer_key.records import RawRecord, parse_origin

RAW_TOPIC = "im.events.raw"


async def collect(kafka: Kafka, topic: str = RAW_TOPIC) -> list[RawRecord]:
    """Read a topic from its beginning to where it ends now."""
    # Without a group, a consumer is assigned every partition of its topic.
    consumer = AIOKafkaConsumer(topic, **client_options(kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = sorted(consumer.assignment())
        ends = await consumer.end_offsets(parts)
        found: list[RawRecord] = []
        for part in parts:
            while await consumer.position(part) < ends[part]:
                fetched = (await consumer.getmany(part, timeout_ms=1000)).get(part, [])
                found += [_record(each) for each in fetched]
        return found
    finally:
        await consumer.stop()


def _record(record: Any) -> RawRecord:
    headers = {name: value.decode() for name, value in record.headers}
    return RawRecord(
        record.partition,
        record.offset,
        record.value or b"",
        # A record of someone else's making may lack the header; the producer's own time stands in for it.
        int(headers.get("received") or record.timestamp),
        headers.get("source", ""),
        parse_origin(headers.get("origin")),
    )
