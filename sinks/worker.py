"""The sink worker: reads every stored topic, inserts in batches, commits what ClickHouse has acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError

from core import failpoints, logs
from core.settings import Settings
from sinks.batch import MAX_BYTES, Batch, Buffer, Load
from sinks.rows import TARGETS
from sinks.writer import Writer

log = logs.get(__name__)

GROUP = "receipts-sink"
POLL_S = 0.05
READ_AT_ONCE = 400
"""Records read at once: making their lines takes milliseconds, in which no insert goes on its way."""
AT_ONCE = 4
"""Inserts at the same time."""
BUFFERED_BYTES = 8 * MAX_BYTES
"""Lines held in memory before reading pauses: Kafka is the buffer."""
CATCHING_UP = 4
"""How many times longer rows wait for a larger insert while many more are behind them."""
FEW = 1000
"""Rows for which nobody waits."""
FINISH_S = 8.0
"""How long a revocation or a stop waits for inserts under way."""


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One member of the sinks' consumer group."""

    def __init__(self, consumer: AIOKafkaConsumer, writer: Writer, settings: Settings) -> None:
        self._consumer = consumer
        self._writer = writer
        self._rows = settings.sink_batch_rows
        self._age = settings.sink_batch_age.total_seconds()
        self._buffers: dict[TopicPartition, Buffer] = {}
        self._inserts: dict[TopicPartition, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._failed: BaseException | None = None
        self._assigned = False

    def why_not_ready(self) -> str:
        """Return '' when partitions are assigned and ClickHouse takes rows."""
        if not self._assigned:
            return "joining the consumer group"
        return f"ClickHouse takes no rows: {self._writer.trouble}" if self._writer.trouble else ""

    def lag(self) -> dict[str, int]:
        """Return the records of each topic that are not inserted yet, as far as fetches have told."""
        found = dict.fromkeys(TARGETS, 0)
        for tp in self._consumer.assignment():
            end = self._consumer.highwater(tp)
            state = self._consumer._subscription.subscription.assignment.state_value(tp)  # noqa: SLF001 -- no await here
            if end is not None and state is not None and state.has_valid_position:
                waiting = len(self._buffers[tp]) if tp in self._buffers else 0
                found[tp.topic] += max(0, end - state.position) + waiting
        return found

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then insert what has been read and commit it.

        Raises whatever an insert raised unexpectedly: nothing after it is committed.
        """
        self._consumer.subscribe(list(TARGETS), listener=self)
        while not stop.is_set():
            await self._read()
            self._begin_inserts()
            # Where records wait already, reading them lets nobody else run.
            await asyncio.sleep(0)
            if self._failed is not None:
                raise self._failed
        await self._finish()

    async def _read(self) -> None:
        self._pause_what_is_ahead()
        fetched = await self._consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=READ_AT_ONCE)
        now = asyncio.get_running_loop().time()
        for tp, records in fetched.items():
            buffer = self._buffers.get(tp)
            if buffer is None:
                buffer = self._buffers[tp] = Buffer(TARGETS[tp.topic], tp.partition)
            buffer.add(records, now)

    def _pause_what_is_ahead(self) -> None:
        """Stop reading partitions that have a full batch waiting; all of them when memory is spent."""
        full = sum(buffer.bytes for buffer in self._buffers.values()) >= BUFFERED_BYTES
        paused = self._consumer.paused()
        for tp in self._consumer.assignment():
            buffer = self._buffers.get(tp)
            ahead = full or (buffer is not None and (len(buffer) >= self._rows or buffer.bytes >= MAX_BYTES))
            if ahead and tp not in paused:
                self._consumer.pause(tp)
            elif not ahead and tp in paused:
                self._consumer.resume(tp)

    def _begin_inserts(self, *, all_of_it: bool = False) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for tps in self._together():
            ages = [0 if all_of_it else self._patience(tp) for tp in tps]
            if any(self._buffers[tp].due(now, rows=self._rows, age=age) for tp, age in zip(tps, ages, strict=True)):
                task = loop.create_task(self._insert(tps))
                self._inserts.update(dict.fromkeys(tps, task))
                task.add_done_callback(partial(self._inserted, tps))

    def _together(self) -> Iterator[list[TopicPartition]]:
        """Yield partitions that wait, those of a topic together as long as they are no more than one insert."""
        waiting: dict[str, list[TopicPartition]] = {}
        for tp, buffer in self._buffers.items():
            if buffer and tp not in self._inserts:
                waiting.setdefault(tp.topic, []).append(tp)
        for tps in waiting.values():
            group, rows, size = list[TopicPartition](), 0, 0
            for tp in tps:
                rows, size = rows + len(self._buffers[tp]), size + self._buffers[tp].bytes
                if group and (rows > self._rows or size > MAX_BYTES):
                    yield group
                    group, rows, size = [], len(self._buffers[tp]), self._buffers[tp].bytes
                group.append(tp)
            yield group

    def _patience(self, tp: TopicPartition) -> float:
        """Return how long rows wait for their insert to fill, in seconds.

        Where as many more are in Kafka already, these are old anyhow: larger inserts make fewer parts to merge.
        """
        end = self._consumer.highwater(tp) if tp in self._consumer.assignment() else None
        buffer = self._buffers[tp]
        behind = end is not None and end - buffer.next_offset >= max(len(buffer), FEW)
        return self._age * CATCHING_UP if behind else self._age

    async def _insert(self, tps: list[TopicPartition]) -> None:
        async with self._slots:
            now = asyncio.get_running_loop().time()
            batches: list[Batch] = []
            rows, size = self._rows, MAX_BYTES
            for tp in tps:
                # What came while this waited for its slot need not fit any more.
                if rows > 0 and size > 0:
                    batches.append(batch := self._buffers[tp].take(tp.topic, rows=rows, now=now, size=size))
                    rows, size = rows - len(batch.lines), size - sum(map(len, batch.lines))
            failpoints.hit("sink.inserting")
            await self._writer.write(Load(tuple(batches)))
            failpoints.hit("sink.inserted")
            await self._commit({TopicPartition(each.topic, each.partition): each.last + 1 for each in batches})
            failpoints.hit("sink.committed")

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # Partitions have moved; their new owner inserts the same rows again, which changes nothing.
            log.warning("commit_refused", partitions=len(offsets), error=repr(error))

    def _inserted(self, tps: list[TopicPartition], done: asyncio.Task[None]) -> None:
        for tp in tps:
            if self._inserts.get(tp) is done:
                del self._inserts[tp]
        if not done.cancelled() and done.exception() is not None:
            self._failed = done.exception()

    async def _finish(self) -> None:
        """Insert and commit what is waiting; what takes too long is left to the next owner."""
        deadline = asyncio.get_running_loop().time() + FINISH_S
        while asyncio.get_running_loop().time() < deadline and self._failed is None:
            if self._writer.trouble:
                break
            self._begin_inserts(all_of_it=True)
            if not self._inserts:
                break
            await asyncio.wait(set(self._inserts.values()), timeout=deadline - asyncio.get_running_loop().time())
        under_way = set(self._inserts.values())
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)
        self._inserts.clear()
        self._buffers.clear()

    # --- rebalance --------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, _: Any) -> None:
        """Finish what was begun, and forget the rest: the next owner begins at the commit. All partitions go."""
        self._assigned = False
        await self._finish()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Begin at the commits."""
        self._assigned = True
        log.info("assigned", partitions=len(assigned))
