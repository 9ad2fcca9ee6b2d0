"""The outbox of one step: grows record batches by topic and partition, and sends them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from core import failpoints
from core.kafka_writer import NO_HEADERS, Batch, Headers, Run, encode_headers

_NONE: Headers = []
Wrote = Callable[[str, int, int, int], None]
"""Told of each acknowledged batch: topic, partition, base offset, count."""


class _Grower:
    """Record batches of one topic and partition."""

    __slots__ = ("_now", "_run")

    def __init__(self, now: int, run: Run) -> None:
        self._now = now
        self._run = run

    @property
    def batches(self) -> list[Batch]:
        """The batches so far."""
        return self._run.batches

    def append(self, key: bytes | None, value: bytes | None, headers: Headers = _NONE) -> None:
        """Append a record; a value of None is a tombstone."""
        self._run.append(self._now, key, value, encode_headers(headers) if headers else NO_HEADERS)


class Outbox:
    """Collects records, then sends them. Every record of one outbox is stamped with the same time."""

    def __init__(self, now: int, limit: int, *, lz4: bool) -> None:
        """Grow batches of at most `limit` bytes, before compression; `now` is epoch ms."""
        self._now = now
        self._limit = limit
        self._lz4 = lz4
        self._growers: dict[tuple[str, int], _Grower] = {}

    def to(self, topic: str, partition: int) -> Callable[..., None]:
        """Return what appends to a partition of a topic."""
        grower = self._growers.get((topic, partition))
        if grower is None:
            grower = self._growers[topic, partition] = _Grower(self._now, Run(self._limit, lz4=self._lz4))
        return grower.append

    async def send(self, producer: Any, wrote: Wrote) -> None:
        """Send everything by an AIOKafkaProducer; return when all of it is acknowledged by all in-sync replicas.

        Raises what the producer raises (an aiokafka KafkaError): then some of it may be written and some not.
        """
        async with asyncio.TaskGroup() as group:
            for (topic, partition), grower in self._growers.items():
                if grower.batches:
                    group.create_task(_send(producer, topic, partition, grower.batches, wrote))


async def _send(producer: Any, topic: str, partition: int, batches: list[Batch], wrote: Wrote) -> None:
    for batch in batches:
        metadata = await (await producer.send_batch(batch, topic, partition=partition))
        wrote(topic, partition, metadata.offset, batch.record_count())
        failpoints.hit("outbox.part_sent")
