"""A lane: one assigned source partition on its way through a step."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from core import failpoints
from processors.batched.messages import RecordBatch
from processors.batched.outbox import Outbox

IN_FLIGHT: Final = 4
"""Batches whose writes may be under way: an acknowledgement takes longer than to decide on the next batch."""


class Step(Protocol):
    """What a lane drives: the state of one partition. Its methods are synchronous, so each is one step in time."""

    def process(self, records: Sequence[Any], outbox: Outbox) -> None:
        """Take the next records of the partition, in offset order; append what follows from them."""

    def checkpoint(self, outbox: Outbox) -> None:
        """Append whatever must be written before the offsets of the records so far may be committed."""

    def written(self) -> None:
        """Learn that an outbox is acknowledged, all of it: the oldest one that this was not called for yet."""

    def wants_checkpoint(self, seen_until: int | None) -> bool:
        """Tell whether a checkpoint is due although no record came; asked several times a second.

        `seen_until`: everything that was in the partition at that moment (epoch ms) has been processed; None while
        there is more to process.
        """

    def committed(self, offset: int) -> None:
        """Learn that no record below this offset will be read again; told several times a second."""

    def rewrite(self, topic: str, partition: int) -> None:
        """Write this changelog's state again at the next checkpoint.

        A worker that did not know yet that it had lost the partition wrote to it: its older values would otherwise be
        the newest of their keys, and compaction would keep those.
        """


class Lane:
    """Processes batches at once, writes in order, and acknowledges the batches when their checkpoint is written.

    `every` (seconds) is the least time between two checkpoints; a batch after a quiet time is checkpointed at once.
    """

    def __init__(
        self,
        step: Step,
        *,
        every: float,
        new_outbox: Callable[[], Outbox],
        send: Callable[[Outbox], Any],
        ack: Callable[[RecordBatch], Any],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.step = step
        self._every = every
        self._new_outbox = new_outbox
        self._send = send
        self._ack = ack
        self._fail = fail
        self._pending: list[RecordBatch] = []
        self._tail: asyncio.Task[None] | None = None
        self._writing: deque[asyncio.Task[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._checkpointed = float("-inf")

    async def submit(self, batch: RecordBatch, records: Sequence[Any]) -> None:
        """Process a batch; returns once no more than IN_FLIGHT batches wait to be acknowledged, this one among them."""
        outbox = self._new_outbox()
        self.step.process(records, outbox)
        failpoints.hit("lane.processed")
        # The batch waits for its checkpoint; its records need not.
        batch.records = ()
        self._pending.append(batch)
        self._writing.append(self._enqueue(outbox, ()))
        self._plan_checkpoint()
        # Deciding keeps the loop busy for milliseconds: let what was decided go on its way before the next batch.
        await asyncio.sleep(0)
        while len(self._writing) > IN_FLIGHT:
            # They are written one after the other: when the first is done, one fewer is under way.
            await asyncio.wait((self._writing.popleft(),))

    async def drain(self) -> None:
        """Checkpoint now and wait until everything is written and acknowledged."""
        if self._pending:
            self.checkpoint()
        while self._tail is not None and not self._tail.done():
            await asyncio.wait((self._tail,))

    def tick(self, seen_until: int | None) -> None:
        """Checkpoint when the step wants it, unless one is planned or being written."""
        if self._tail is not None and not self._tail.done():
            return
        if self.step.wants_checkpoint(seen_until) and self._timer is None:
            self.checkpoint()

    def close(self) -> None:
        """Forget the lane: its partition is no longer ours. What is being written may still end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pending.clear()

    def _plan_checkpoint(self) -> None:
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(max(loop.time(), self._checkpointed + self._every), self.checkpoint)

    def checkpoint(self) -> None:
        """Write the step's checkpoint behind all writes so far; then acknowledge the batches it covers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._checkpointed = asyncio.get_running_loop().time()
        covered, self._pending = self._pending, []
        outbox = self._new_outbox()
        try:
            self.step.checkpoint(outbox)
            failpoints.hit("lane.checkpoint")
        except Exception as error:  # noqa: BLE001 -- a timer's exception would only be logged: the process must stop
            self._fail(error)
            return
        self._enqueue(outbox, covered)

    def _enqueue(self, outbox: Outbox, covered: Sequence[RecordBatch]) -> asyncio.Task[None]:
        """Send an outbox after the one before it: a changelog must hold writes in the order they were decided."""
        self._tail = asyncio.get_running_loop().create_task(self._write(self._tail, outbox, covered))
        return self._tail

    async def _write(self, previous: asyncio.Task[None] | None, outbox: Outbox, covered: Sequence[RecordBatch]) -> None:
        try:
            if previous is not None:
                await previous
            await self._send(outbox)
            failpoints.hit("lane.sent")
            self.step.written()
            failpoints.hit("lane.checkpointed" if covered else "lane.written")
        except asyncio.CancelledError:
            raise  # the process is going down; nothing was acknowledged
        except BaseException as error:
            # Nothing after a write that failed may be written or committed.
            self._fail(error)
            raise
        for batch in covered:
            self._ack(batch)
            failpoints.hit("lane.acked")
