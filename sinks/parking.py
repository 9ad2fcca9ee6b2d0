"""The producer of dead letters."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaProducer

from core.clock import iso, now_ms
from schemas import topics
from sinks.rows import Unusable


class KafkaParking:
    """Parks records in `im.events.dead`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def park(self, record: Any, topic: str, partition: int, unusable: Unusable) -> None:
        """Write the record's own bytes with why, and from where; returns when all in-sync replicas have it."""
        values = ("sink", unusable.reason, unusable.detail, topic, str(partition), str(record.offset), iso(now_ms()))
        headers = [(name, value.encode()) for name, value in zip(topics.DEAD_HEADERS, values, strict=True)]
        await self._producer.send_and_wait(
            topics.DEAD, record.value or b"", key=record.key, partition=partition, headers=headers
        )
