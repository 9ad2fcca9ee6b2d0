"""The worker's reading: what is due goes on its way though more records wait, and no partition fills the memory."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition

from core.settings import parse
from schemas import topics
from sinks.batch import Load
from sinks.worker import READ_AT_ONCE, Worker
from tests.ingest.waiting import until
from tests.processors.world import FakeRecord

PART = TopicPartition(topics.TRANSITIONS, 0)
ROWS = 2 * READ_AT_ONCE
ALL = 20 * READ_AT_ONCE


class Consumer:
    """A consumer of one partition whose records have all been fetched: it hands them on without waiting."""

    def __init__(self) -> None:
        self.given = self.committed = 0
        self.is_paused = False

    def subscribe(self, names: list[str], listener: Any) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return {PART}

    def highwater(self, _: TopicPartition) -> int:
        return ALL

    def paused(self) -> set[TopicPartition]:
        return {PART} if self.is_paused else set()

    def pause(self, _: TopicPartition) -> None:
        self.is_paused = True

    def resume(self, _: TopicPartition) -> None:
        self.is_paused = False

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[FakeRecord]]:
        offsets = range(self.given, min(self.given + max_records, ALL))
        if self.is_paused or not offsets:
            await asyncio.sleep(timeout_ms / 1000)
            return {}
        self.given = offsets.stop
        return {PART: [FakeRecord(offset, b"k", b"{}") for offset in offsets]}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed = offsets[PART]


class Writer:
    """A writer that notes how much had been read when an insert began, and holds it until it is let go."""

    trouble = ""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.begun: list[int] = []
        self.go = asyncio.Event()

    async def write(self, load: Load) -> None:
        del load
        self.begun.append(self.consumer.given)
        await self.go.wait()


async def test_an_insert_begins_when_it_is_due_and_one_more_waits_at_most() -> None:
    consumer: Any = Consumer()
    writer: Any = Writer(consumer)
    settings = parse({"SINK_BATCH_ROWS": str(ROWS), "SINK_BATCH_AGE": "1h"})
    worker, stop = Worker(consumer, writer, settings), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: consumer.is_paused)
    assert writer.begun == [ROWS]
    assert consumer.given == 2 * ROWS
    writer.go.set()
    await until(lambda: consumer.committed == ALL)
    stop.set()
    await running
