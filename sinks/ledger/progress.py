"""How far processors and sinks have come with what was in Kafka at a moment: lag is not loss."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from core.kafka import Kafka, client_options
from schemas import topics
from sinks.doctor_groups import committed_by, partitions_of
from sinks.rows import TARGETS
from sinks.worker import GROUP

POLL_S = 0.25


async def settle(kafka: Kafka, wait_s: float) -> int:
    """Wait until all that is in Kafka now is processed and stored; return how many records still are not.

    What comes meanwhile is not waited for, so that this ends under steady traffic too. Raises KafkaError, OSError, and
    ValueError where a topic is missing.
    """
    # What the processors make of the raw records must be stored too: its ends are asked for when it is all there.
    return await _wait(kafka, [(topics.APP_ID, [topics.RAW]), (GROUP, list(TARGETS))], wait_s)


async def stored(kafka: Kafka, wait_s: float) -> int:
    """Wait until all that processors have published is stored; return how many records still are not."""
    return await _wait(kafka, [(GROUP, list(TARGETS))], wait_s)


async def _wait(kafka: Kafka, groups: list[tuple[str, list[str]]], wait_s: float) -> int:
    deadline = monotonic() + wait_s
    consumer = AIOKafkaConsumer(**client_options(kafka))
    admin = AIOKafkaAdminClient(**client_options(kafka))
    left = 0
    try:
        await consumer.start()
        await admin.start()
        for group, names in groups:
            left = left or await _reached(consumer, admin, group, names, deadline)
        return left
    finally:
        await consumer.stop()
        await admin.close()


async def _reached(consumer: Any, admin: Any, group: str, names: list[str], deadline: float) -> int:
    """Wait until a group has committed the present ends of topics; return what it has not at the deadline."""
    parts = await partitions_of(admin, names)
    begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
    while True:
        committed = await committed_by(admin, group)
        left: int = sum(max(0, ends[part] - max(committed.get(part, 0), begins[part])) for part in parts)
        if not left or monotonic() > deadline:
            return left
        await asyncio.sleep(POLL_S)
