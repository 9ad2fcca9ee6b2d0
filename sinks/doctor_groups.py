"""How far processors and sinks have come with what is in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from core.kafka import client_options
from core.settings import Settings
from schemas import topics
from sinks.facts import Group
from sinks.rows import TARGETS
from sinks.worker import GROUP as SINKS

LOOK_AGAIN_S = 2.0
"""How long a group with a lag is watched: processors and sinks commit several times meanwhile."""

_GROUPS = (("processor", topics.APP_ID, (topics.RAW,)), ("sink", SINKS, tuple(TARGETS)))

_Committed = dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class _Look:
    lag: int
    committed: _Committed


async def watch(settings: Settings) -> tuple[Group, ...]:
    """Return how far each group has come, and whether it moves. Raises KafkaError, OSError, ValueError."""
    if not settings.kafka_bootstrap_servers:
        raise ValueError("KAFKA_BOOTSTRAP_SERVERS is not set and no sandbox runs in STATE_DIR")
    consumer = AIOKafkaConsumer(**client_options(settings))
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await consumer.start()
        await admin.start()
        first = [await _look(admin, consumer, group, names) for _, group, names in _GROUPS]
        if any(look.lag for look in first):
            await asyncio.sleep(LOOK_AGAIN_S)
        then = [await _look(admin, consumer, group, names) for _, group, names in _GROUPS]
    finally:
        await consumer.stop()
        await admin.close()
    return tuple(_judge(name, *looks) for (name, _, _), *looks in zip(_GROUPS, first, then, strict=True))


def _judge(name: str, first: _Look, then: _Look) -> Group:
    return Group(name, then.lag, moving=then.committed != first.committed or not then.lag)


async def _look(admin: Any, consumer: Any, group: str, names: Iterable[str]) -> _Look:
    parts = await partitions_of(admin, names)
    committed = await committed_by(admin, group)
    begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
    lag = sum(max(0, ends[part] - max(committed.get(part, 0), begins[part])) for part in parts)
    return _Look(lag, {part: committed.get(part, 0) for part in parts})


async def partitions_of(admin: Any, names: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of topics. Raises ValueError when one does not exist."""
    # To describe a topic may create it.
    if missing := sorted(set(names) - set(await admin.list_topics())):
        raise ValueError(f"topic {missing[0]} does not exist: run `receipts topics`")
    return [
        TopicPartition(topic["topic"], part["partition"])
        for topic in await admin.describe_topics(list(names))
        for part in topic["partitions"]
    ]


async def committed_by(admin: Any, group: str) -> _Committed:
    """Return the offsets that a group has committed; none for a group that never was."""
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:  # no group has ever been on this broker
        return {}
    return {partition: at.offset for partition, at in offsets.items() if at.offset >= 0}
