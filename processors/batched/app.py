"""The app: a Faust app on the batch transport, with steps instead of agents."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import faust
from faust.types import TP

from core import logs
from core.clock import now_ms
from core.kafka_fetches import use_question_times
from core.kafka_groups import use_fenced_commits
from core.kafka_records import use_plain_records
from processors.batched.consumer import BatchConsumer
from processors.batched.lane import Lane, Step
from processors.batched.outbox import Outbox
from processors.batched.table import BatchTable
from processors.batched.transport import BatchTransport

log = logs.get(__name__)

BUFFERED = 8
"""Fetched batches of a topic that may wait for their step: reading is faster than deciding."""
TICK_S = 0.1
"""How often a step is asked whether it wants a checkpoint although no record came."""
EXIT_FAILED = 70
"""Exit code of a process that stopped because something could not be written."""

MakeStep = Callable[[int], Step]
"""Returns the step of a partition; the same one until the partition is forgotten."""


class BatchApp(faust.App):
    """A Faust app whose steps receive record batches."""

    def __init__(self, *args: Any, idempotence: bool = True, rack: str = "", **kwargs: Any) -> None:
        """Make the app as Faust does. `idempotence` is for brokers that know no idempotent producers.

        `rack`: where this process is, to fetch from a replica there; '' is nowhere.
        """
        use_fenced_commits()
        use_question_times()
        use_plain_records()
        # A topic's own `maxsize` never reaches the queue of an agent.
        kwargs.setdefault("stream_buffer_maxsize", BUFFERED)
        self.idempotence = idempotence
        self.rack = rack
        super().__init__(*args, **kwargs)
        self._lanes: dict[TP, Lane] = {}
        self._changelogs: dict[str, BatchTable] = {}
        self.on_partitions_revoked.connect(self._close_lanes)

    # --- what a user calls ------------------------------------------------------------------------------------------

    def batch_table(self, table: BatchTable) -> BatchTable:
        """Register a table."""
        self.tables.add(table)
        self._changelogs[table.changelog_topic_name] = table
        return table

    def step(self, topic: str, make_step: MakeStep, *, every: float) -> None:
        """Run a step on every assigned partition of a topic; `every`: least seconds between two of its checkpoints."""
        source = self.topic(topic, key_type=bytes, value_type=bytes)

        async def run(stream: Any) -> None:
            stream.enable_acks = False
            async for event in stream.events():
                batch = event.message
                records = await self.batches.accept(batch)
                if records:
                    await self._lane(batch.tp, make_step, every).submit(batch, records)

        self.agent(source, name=f"step.{topic}")(run)
        self.timer(TICK_S)(partial(self._tick, topic, make_step, every))

    @property
    def batches(self) -> BatchConsumer:
        """The consumer, once the app has started."""
        consumer = self.consumer
        assert isinstance(consumer, BatchConsumer)  # noqa: S101 -- our own transport makes it
        return consumer

    @property
    def idle(self) -> bool:
        """Whether no lane waits for a checkpoint."""
        return not self._lanes

    # --- lanes ------------------------------------------------------------------------------------------------------

    def _lane(self, tp: TP, make_step: MakeStep, every: float) -> Lane:
        lane = self._lanes.get(tp)
        if lane is None:
            producer: Any = self.producer
            lane = self._lanes[tp] = Lane(
                make_step(tp.partition),
                every=every,
                new_outbox=self._outbox,
                send=lambda outbox: outbox.send(producer._producer, self._wrote),  # noqa: SLF001
                ack=self.batches.ack,
                fail=self._fail,
            )
        return lane

    def _outbox(self) -> Outbox:
        lz4 = self.conf.producer_compression_type == "lz4"
        return Outbox(now_ms(), self.conf.producer_max_batch_size, lz4=lz4)

    def _wrote(self, topic: str, partition: int, base: int, count: int) -> None:
        table = self._changelogs.get(topic)
        if table is None or table.wrote(partition, base, count):
            return
        self.batches.events["foreign_write"] += 1
        for lane in self._lanes.values():
            lane.step.rewrite(topic, partition)

    async def _tick(self, topic: str, make_step: MakeStep, every: float) -> None:
        if not self.started or self.rebalancing:
            return
        for tp, seen_until in self.batches.seen_until().items():
            if tp.topic == topic:
                lane = self._lane(tp, make_step, every)
                lane.step.committed(self.batches.committed.get(tp, 0))
                lane.tick(seen_until)

    async def _drain_lanes(self) -> None:
        for lane in list(self._lanes.values()):
            await lane.drain()

    async def _close_lanes(self, *_: Any, **__: Any) -> None:
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    def _fail(self, error: BaseException) -> None:
        """Stop at once: an orderly stop would commit what was not written."""
        log.critical("processor_failed", error=repr(error), exc_info=error)
        os._exit(EXIT_FAILED)

    # --- Faust's hooks ----------------------------------------------------------------------------------------------

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:  # noqa: ARG002 -- Faust names them
        # Faust acknowledges the event whose processing failed; only a hard exit loses nothing.
        self._fail(exc)

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:  # noqa: N802
        """Never clear a queue on resume: what is void is told by its epoch."""
        del clear_on_resume
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    def _new_consumer(self) -> Any:
        consumer: Any = super()._new_consumer()
        consumer.drain = self._drain_lanes
        return consumer

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return BatchTransport(self.conf.broker_producer, self)
