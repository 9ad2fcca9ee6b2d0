"""The outbox of one step: grows record batches by topic and partition, and sends them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from core import failpoints

Headers = list[tuple[str, bytes]]
_NONE: Headers = []
Wrote = Callable[[str, int, int, int], None]
"""Told of each acknowledged batch: topic, partition, base offset, count."""


class _Grower:
    """Record batches of one topic and partition."""

    __slots__ = ("_append", "_builder", "_count", "_now", "_producer", "full")

    def __init__(self, producer: Any, now: int) -> None:
        self._producer = producer
        self._now = now
        self.full: list[tuple[Any, int]] = []
        self._begin()

    def _begin(self) -> None:
        self._builder = self._producer.create_batch()
        # The builder underneath saves a Python call and two dictionaries on every record.
        self._append = self._builder._builder.append  # noqa: SLF001
        self._count = 0

    def append(self, key: bytes | None, value: bytes | None, headers: Headers = _NONE) -> None:
        """Append a record; a value of None is a tombstone."""
        if self._append(self._count, self._now, key, value, headers) is None:
            self.close()
            self._begin()
            self._append(0, self._now, key, value, headers)
        self._count += 1

    def close(self) -> None:
        """Close the batch that is growing."""
        if self._count:
            self._builder._relative_offset = self._count  # noqa: SLF001 -- `append` above went past it
            self._builder.close()
            self.full.append((self._builder, self._count))
            self._count = 0


class Outbox:
    """Collects records, then sends them. Every record of one outbox is stamped with the same time."""

    def __init__(self, producer: Any, now: int) -> None:
        """Grow batches for `producer` (an AIOKafkaProducer); `now` is epoch ms."""
        self._producer = producer
        self._now = now
        self._growers: dict[tuple[str, int], _Grower] = {}

    def to(self, topic: str, partition: int) -> Callable[..., None]:
        """Return what appends to a partition of a topic."""
        grower = self._growers.get((topic, partition))
        if grower is None:
            grower = self._growers[topic, partition] = _Grower(self._producer, self._now)
        return grower.append

    async def send(self, wrote: Wrote) -> None:
        """Send everything; return when all of it is acknowledged by all in-sync replicas.

        Raises what the producer raises (an aiokafka KafkaError): then some of it may be written and some not.
        """
        async with asyncio.TaskGroup() as group:
            for (topic, partition), grower in self._growers.items():
                grower.close()
                if grower.full:
                    group.create_task(self._send(topic, partition, grower.full, wrote))

    async def _send(self, topic: str, partition: int, batches: list[tuple[Any, int]], wrote: Wrote) -> None:
        for batch, count in batches:
            metadata = await (await self._producer.send_batch(batch, topic, partition=partition))
            wrote(topic, partition, metadata.offset, count)
            failpoints.hit("outbox.part_sent")
