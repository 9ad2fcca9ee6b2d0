"""How far consumer groups have come: by partition the end, what is committed, the age of what waits."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from core.kafka import Kafka, client_options, unavailable

LOOK_S = 5.0
"""Longest wait for the oldest waiting records."""


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of one group."""

    group: str
    topic: str
    partition: int
    end: int
    """Offset that the next record gets."""
    committed: int | None
    """Offset of the next record that the group will take; None where it never committed."""
    lag: int
    """Records from there (or from the oldest that is kept) to the end; markers of transactions count too."""
    age_ms: int | None = None
    """How long ago the oldest of them was received; None where there is none, or it cannot be told."""


def measure(
    group: str, committed: Mapping[TopicPartition, int], begins: Mapping[Any, int], ends: Mapping[Any, int]
) -> list[Lag]:
    """Return a group's lags: of all partitions of every topic that it has ever committed on."""
    topics = {place.topic for place in committed}
    return [
        Lag(
            group,
            place.topic,
            place.partition,
            end,
            committed.get(place),
            max(0, end - max(committed.get(place, 0), begins[place])),
        )
        for place, end in sorted(ends.items())
        if place.topic in topics
    ]


async def lags(kafka: Kafka, wanted: Callable[[str], bool], received_of: Callable[[Any], int], now: int) -> list[Lag]:
    """Return the lags of the groups whose names are wanted.

    `received_of` tells when a record was received, epoch ms; `now` likewise. Raises BrokerUnavailableError.
    """
    consumer = AIOKafkaConsumer(**client_options(kafka), enable_auto_commit=False)
    admin = AIOKafkaAdminClient(**client_options(kafka))
    try:
        await consumer.start()
        await admin.start()
        groups = sorted(name for name, *_ in await admin.list_consumer_groups() if wanted(name))
        committed = {group: await _committed(admin, group) for group in groups}
        places = await _places(admin, {place.topic for found in committed.values() for place in found})
        # Asked after the commits: a lag is never negative for it.
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        found = [lag for group in groups for lag in measure(group, committed[group], begins, ends)]
        return [await _with_age(consumer, lag, begins, received_of, now) for lag in found]
    except (KafkaError, OSError, TimeoutError) as error:
        raise await unavailable(kafka, error) from error
    finally:
        await consumer.stop()
        await admin.close()


async def _committed(admin: Any, group: str) -> dict[TopicPartition, int]:
    try:
        told = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # no group has ever been on this broker
        return {}
    return {place: at.offset for place, at in told.items() if at.offset >= 0}


async def _places(admin: Any, names: Iterable[str]) -> list[TopicPartition]:
    # To describe a topic may create it, and a group may remember one that is gone.
    present = sorted(set(names) & set(await admin.list_topics()))
    described = await admin.describe_topics(present) if present else []
    return [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]


async def _with_age(
    consumer: Any, lag: Lag, begins: Mapping[Any, int], received_of: Callable[[Any], int], now: int
) -> Lag:
    if not lag.lag:
        return lag
    place = TopicPartition(lag.topic, lag.partition)
    consumer.assign([place])
    consumer.seek(place, max(lag.committed or 0, begins[place]))
    deadline = get_running_loop().time() + LOOK_S
    while get_running_loop().time() < deadline:
        records = (await consumer.getmany(place, timeout_ms=500, max_records=1)).get(place)
        if records:
            age = max(0, now - received_of(records[0]))
            return Lag(lag.group, lag.topic, lag.partition, lag.end, lag.committed, lag.lag, age)
        if await consumer.position(place) >= lag.end:
            break  # nothing but markers of transactions
    return lag
