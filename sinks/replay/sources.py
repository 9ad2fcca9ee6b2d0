"""Where raw events are read again from: Kafka, as long as it keeps them, or ClickHouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from core.clickhouse import ClickHouse
from core.clock import now_ms
from core.kafka import client_options
from core.settings import Settings
from schemas import topics
from schemas.events import decode, key_of, org_of
from schemas.shapes import Rejected
from schemas.shapes import StatusEvent as Status

PAGE = 10_000


class Selection(NamedTuple):
    """What to send again: received in [since, until), epoch ms; '' stands for any org, any channel."""

    since: int
    until: int
    org_id: str = ""
    channel_id: str = ""


class RawEvent(NamedTuple):
    """A raw record as it was first written: with `partition` and `offset` of that first copy."""

    partition: int
    offset: int
    key: bytes | None
    body: bytes
    org_id: str
    event_type: str
    received: int
    """Epoch ms."""
    delivery: str
    source: str


async def from_kafka(settings: Settings, selection: Selection) -> AsyncIterator[RawEvent]:
    """Yield what Kafka still has, partition by partition, in offset order; never a copy that was sent again."""
    consumer = AIOKafkaConsumer(topics.RAW, **client_options(settings), isolation_level="read_committed")
    await consumer.start()
    try:
        parts = sorted(consumer.assignment())
        ends = await consumer.end_offsets(parts)
        # A record is appended after it was received, however long it waited in a spool.
        starts = await consumer.offsets_for_times(dict.fromkeys(parts, selection.since))
        for part in parts:
            if starts[part] is not None:
                async for event in _partition(consumer, part, starts[part].offset, ends[part]):
                    if _selected(event, selection):
                        yield event
    finally:
        await consumer.stop()


async def _partition(consumer: AIOKafkaConsumer, part: TopicPartition, start: int, end: int) -> AsyncIterator[RawEvent]:
    consumer.seek(part, start)
    while await consumer.position(part) < end:
        for record in (await consumer.getmany(part, timeout_ms=1000, max_records=PAGE)).get(part, ()):
            headers = dict(record.headers)
            if record.offset < end and topics.HEADER_ORIGIN not in headers:
                yield _of_record(record, headers)


def _of_record(record: Any, headers: dict[str, bytes]) -> RawEvent:
    def text(name: str) -> str:
        return (headers.get(name) or b"").decode(errors="replace")

    received = text(topics.HEADER_RECEIVED)
    return RawEvent(
        record.partition,
        record.offset,
        record.key,
        record.value or b"",
        text(topics.HEADER_ORG),
        text(topics.HEADER_TYPE),
        int(received) if received.isdecimal() and received.isascii() else record.timestamp,
        text(topics.HEADER_DELIVERY),
        text(topics.HEADER_SOURCE),
    )


def _selected(event: RawEvent, selection: Selection) -> bool:
    if not selection.since <= event.received < selection.until:
        return False
    if selection.org_id and (event.org_id or org_of(event.body)) != selection.org_id:
        return False
    if not selection.channel_id:
        return True
    told = decode(event.body)
    return isinstance(told, Status) and told.channel_id == selection.channel_id


_PAGE_SQL = """
SELECT
    raw_partition, raw_offset, org_id, event_type, toUnixTimestamp64Milli(received_time) AS received, delivery, source,
    body
FROM raw_events
WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR (channel_id = {channel:String} AND event_type = 'IM_Message_Status'))
    AND (raw_partition, raw_offset) > ({partition:Int64}, {offset:Int64})
ORDER BY raw_partition, raw_offset
LIMIT {limit:UInt32}
"""


async def from_clickhouse(clickhouse: ClickHouse, selection: Selection) -> AsyncIterator[RawEvent]:
    """Yield what ClickHouse has, partition by partition, in offset order."""
    partition, offset = -1, -1
    while True:
        parameters = {
            "since": selection.since,
            "until": min(selection.until, now_ms()),
            "org": selection.org_id,
            "channel": selection.channel_id,
            "partition": partition,
            "offset": offset,
            "limit": PAGE,
        }
        rows = await clickhouse.rows(_PAGE_SQL, parameters)
        for row in rows:
            yield _of_row(row)
        if len(rows) < PAGE:
            return
        partition, offset = int(rows[-1]["raw_partition"]), int(rows[-1]["raw_offset"])


def _of_row(row: dict[str, Any]) -> RawEvent:
    body = row["body"].encode()
    event = decode(body)
    # A record that is no event has no key that its partition depends on.
    key = None if isinstance(event, Rejected) else key_of(event).encode()
    return RawEvent(
        int(row["raw_partition"]),
        int(row["raw_offset"]),
        key,
        body,
        row["org_id"],
        row["event_type"],
        int(row["received"]),
        row["delivery"],
        row["source"],
    )
