"""Dead letters on their way again, each back to the step that refused it. Doing it twice is doing it once.

- `ingress`: the text is judged anew; what is an event now is appended to the raw topic under the delivery id of the
  letter, unless that delivery stands there already.
- `processor`: in the same way. No rule has counted the record, which stays in the ledger as parked. (As a copy of
  itself, at its old offset, windows that have counted past it would pass it over.)
- `sink`: the record is read again from where it stands in Kafka, and its row inserted under its own identity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from core.clickhouse import ClickHouse
from core.errors import ReceiptstreamError, WarehouseRefusedError
from core.kafka import client_options, partition_of
from core.settings import Settings
from schemas import topics
from sinks.ledger.progress import settle
from sinks.letters.lease import Lease, alone
from sinks.letters.store import Letter, Wanted, find, mark
from sinks.rows import TARGETS, Unusable

SETTLE_S = 30.0


class Event(NamedTuple):
    """An event that was found in an ingress letter."""

    key: bytes
    body: bytes
    org_id: str
    event_type: str


Judge = Callable[[bytes], list[Event] | str]
"""Judges the text of an ingress letter as the ingress does: its events, or why there are none."""


class Outcome(NamedTuple):
    """What became of a letter: `redriven`, or `refused` with the reason in `detail`."""

    letter: Letter
    redriven: bool
    detail: str


async def redrive(settings: Settings, clickhouse: ClickHouse, wanted: Wanted, judge: Judge) -> list[Outcome]:
    """Send the open ones of the letters again, mark what went, and return what became of each.

    Raises BusyError while another process does so, and what Kafka and ClickHouse raise when they cannot be asked; then
    any letter may be asked for again.
    """
    async with alone(clickhouse) as lease:
        letters = await find(clickhouse, wanted._replace(state="open"))
        return await _redrive(settings, clickhouse, letters, judge, lease)


async def discard(clickhouse: ClickHouse, wanted: Wanted) -> list[Letter]:
    """Mark the open ones of the letters as of no use and return them, without their bodies.

    Raises BusyError while another redrives.
    """
    async with alone(clickhouse):
        letters = await find(clickhouse, wanted._replace(state="open"), bodies=False)
        await mark(clickhouse, letters, "discarded")
        return letters


async def _redrive(
    settings: Settings, clickhouse: ClickHouse, letters: Sequence[Letter], judge: Judge, lease: Lease
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    ways = {
        "ingress": lambda letter: _to_raw(settings, clickhouse, letter, judge, letter.failed_ms),
        "processor": lambda letter: _again(settings, clickhouse, letter, judge),
        "sink": lambda letter: _to_table(settings, clickhouse, letter),
    }
    if any(letter.stage in ("ingress", "processor") for letter in letters):
        await _settle(settings)
    for letter in letters:
        await lease.renew()
        way = ways.get(letter.stage)
        refused = await way(letter) if way else f"what the {letter.stage} refused cannot be sent again from here"
        if not refused:
            await mark(clickhouse, (letter,), "redriven")
        outcomes.append(Outcome(letter, not refused, refused))
    return outcomes


async def _settle(settings: Settings) -> None:
    """Wait until the sinks have stored what is in Kafka: only then is it known what stands there already."""
    if await settle(settings, SETTLE_S):
        raise ReceiptstreamError(
            f"records are still under way after {SETTLE_S:.0f} s", fix="See `receipts doctor`, then try again"
        )


async def _to_raw(settings: Settings, clickhouse: ClickHouse, letter: Letter, judge: Judge, received: int) -> str:
    """Append a letter's events as received at that time (epoch ms), those alone that do not stand there already."""
    found = judge(letter.body)
    if isinstance(found, str):
        return found
    delivery = f"dead:{letter.id}"
    rows = await clickhouse.rows(
        "SELECT body FROM raw_events WHERE delivery = {delivery:String}", {"delivery": delivery}
    )
    there = Counter(row["body"].encode() for row in rows)
    missing = []
    for event in found:
        if there[event.body]:
            there[event.body] -= 1
        else:
            missing.append(event)
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=settings.kafka_idempotence,
        max_request_size=topics.largest_batch(settings),
    )
    async with producer:
        partitions = len(await producer.partitions_for(topics.RAW))
        for event in missing:
            headers = [
                (topics.HEADER_ORG, event.org_id.encode()),
                (topics.HEADER_TYPE, event.event_type.encode()),
                (topics.HEADER_RECEIVED, b"%d" % received),
                (topics.HEADER_DELIVERY, delivery.encode()),
                (topics.HEADER_SOURCE, b"replay"),
            ]
            partition = partition_of(event.key, partitions)
            try:
                await producer.send_and_wait(
                    topics.RAW, event.body, key=event.key, partition=partition, headers=headers
                )
            except MessageSizeTooLargeError as error:
                # What concerns this letter alone holds up no other.
                return f"Kafka does not take it: {error}"
    return ""


async def _again(settings: Settings, clickhouse: ClickHouse, letter: Letter, judge: Judge) -> str:
    rows = await clickhouse.rows(
        "SELECT toUnixTimestamp64Milli(received_time) AS received FROM raw_events "
        "WHERE raw_partition = {partition:Int64} AND raw_offset = {offset:Int64}",
        {"partition": letter.partition, "offset": letter.offset},
    )
    received = int(rows[0]["received"]) if rows else letter.failed_ms
    return await _to_raw(settings, clickhouse, letter, judge, received)


async def _to_table(settings: Settings, clickhouse: ClickHouse, letter: Letter) -> str:
    target = TARGETS.get(letter.topic)
    if target is None:
        return f"nothing is stored of topic {letter.topic}"
    record = await _record_at(settings, TopicPartition(letter.topic, letter.partition), letter.offset)
    if record is None:
        return f"Kafka no longer has offset {letter.offset} of {letter.topic}"
    line = target.line(record, letter.partition)
    if isinstance(line, Unusable):
        return line.detail
    if line is not None:
        try:
            await clickhouse.insert(target.table, line, token=f"dead-{letter.id}")
        except WarehouseRefusedError as error:
            return str(error)
    return ""


async def _record_at(settings: Settings, tp: TopicPartition, offset: int) -> Any:
    """Return the record at an offset; None where Kafka has deleted it."""
    consumer = AIOKafkaConsumer(**client_options(settings))
    async with consumer:
        consumer.assign([tp])
        begin, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            return None
        consumer.seek(tp, offset)
        record = await consumer.getone(tp)
        return record if record.offset == offset else None
