"""Reads im.channel.windows and im.alerts and hands what is new to the hub, twice a second."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from core import logs
from core.kafka import Kafka, consumer_options
from dashboard.hub import Event, Hub
from dashboard.positions import Place
from schemas import topics

EVERY_S: Final = 0.5
AGAIN_S: Final = 2.0
LOOK_BACK: Final = 200
"""Records of each partition read at the start, for viewers who come back after a restart of ours."""
MOST_RECORDS: Final = 5000

KINDS: Final = {topics.WINDOWS: "windows", topics.ALERTS: "alerts"}
_log = logs.get(__name__)


class _Window(msgspec.Struct, frozen=True, gc=False):
    """What a page is told of a window: all but its sketches."""

    org_id: str
    channel_id: str
    window_start: str
    sent: int
    delivered: int
    read: int
    other: int
    duplicates: int
    late: int


class _Alert(msgspec.Struct, frozen=True, gc=False):
    alert_id: str
    rule: str
    state: str
    followup: bool
    org_id: str
    channel_id: str
    message_id: str
    due_time: str


_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    topics.WINDOWS: msgspec.json.Decoder(_Window),
    topics.ALERTS: msgspec.json.Decoder(_Alert),
}


def newest(records: list[Any]) -> list[Event]:
    """Return the last event of each key of one partition's records; what is none of ours is left out."""
    events = []
    for record in {record.key: record for record in records}.values():
        if record.value is None:
            continue
        try:
            content = msgspec.json.encode(_DECODERS[record.topic].decode(record.value))
        except msgspec.DecodeError:
            _log.warning("unreadable", topic=record.topic, partition=record.partition, offset=record.offset)
            continue
        events.append(Event(KINDS[record.topic], record.partition, record.offset, msgspec.Raw(content)))
    return sorted(events, key=lambda event: event.offset)


class Feed:
    """Reads while it runs; where Kafka is away it tells the viewers so, and tries again."""

    def __init__(self, kafka: Kafka, hub: Hub) -> None:
        self._options = consumer_options(kafka)
        self._hub = hub
        self.why_not = "Kafka has not been read yet"

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError) as error:
                self._tell(f"Kafka does not answer: {type(error).__name__}")
            await asyncio.sleep(AGAIN_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(*KINDS, **self._options, enable_auto_commit=False, auto_offset_reset="latest")
        try:
            await consumer.start()
            await self._take_place(consumer)
            self._tell("")
            while True:
                self._hand_over(await consumer.getmany(timeout_ms=1000, max_records=MOST_RECORDS))
                await asyncio.sleep(EVERY_S)
        finally:
            await consumer.stop()

    async def _take_place(self, consumer: Any) -> None:
        """Go on where the hub stands; else a little before the end."""
        places = sorted(consumer.assignment())
        if {place.topic for place in places} != set(KINDS):
            raise UnknownTopicOrPartitionError
        first, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        stood = {place: self._hub.next_of(_place(place)) for place in places}
        start = {place: at for place, at in stood.items() if at is not None and first[place] <= at <= end[place]}
        known = len(start) == len(places)
        if not known:
            start = {place: max(first[place], end[place] - LOOK_BACK) for place in places}
        for place, offset in start.items():
            consumer.seek(place, offset)
        if not known:
            self._hub.begin({_place(place): offset for place, offset in start.items()})

    def _hand_over(self, batches: dict[Any, list[Any]]) -> None:
        events = [event for records in batches.values() for event in newest(records)]
        ends = {_place(place): records[-1].offset + 1 for place, records in batches.items() if records}
        self._hub.publish(events, ends)

    def _tell(self, why_not: str) -> None:
        if why_not != self.why_not:
            self.why_not = why_not
            (_log.warning if why_not else _log.info)("live_stream", why_not=why_not)
            self._hub.status(msgspec.json.encode({"connected": not why_not, "message": why_not}))


def _place(place: Any) -> Place:
    return KINDS[place.topic][0], place.partition
