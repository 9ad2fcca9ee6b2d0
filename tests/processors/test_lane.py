"""The lane: writes in the order of decisions, acknowledges only what a written checkpoint covers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from faust.types import TP

from processors.batched.lane import IN_FLIGHT, Lane
from processors.batched.messages import RecordBatch
from tests.processors.world import FakeRecord


class Writes:
    """An outbox that is a list, and a broker that acknowledges when told."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def send(self, outbox: Any) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.written.append(outbox)


class Recording:
    """A step that names what it was asked for, and wants what it is told to."""

    wanting = False
    told = 0

    def process(self, records: Sequence[Any], outbox: Any) -> None:
        outbox.append(f"batch {records[0].offset}-{records[-1].offset}")

    def checkpoint(self, outbox: Any) -> None:
        outbox.append("checkpoint")

    def written(self) -> None:
        self.told += 1

    def wants_checkpoint(self, seen_until: int | None) -> bool:
        return self.wanting and seen_until is not None

    def committed(self, offset: int) -> None:
        raise AssertionError

    def rewrite(self, topic: str, partition: int) -> None:
        raise AssertionError


class Bench:
    """A lane on its own."""

    def __init__(self, every: float) -> None:
        self.writes = Writes()
        self.acked: list[int] = []
        self.failures: list[BaseException] = []
        new_outbox: Any = list
        self.step = Recording()
        self.lane = Lane(
            self.step,
            every=every,
            new_outbox=new_outbox,
            send=self.writes.send,
            ack=lambda batch: self.acked.append(batch.last),
            fail=self.failures.append,
        )

    async def submit(self, first: int, last: int) -> None:
        records = [FakeRecord(offset, None, None) for offset in range(first, last + 1)]
        await self.lane.submit(RecordBatch(TP("raw", 0), records, 0, 0), records)


async def test_a_batch_after_a_quiet_time_is_checkpointed_at_once() -> None:
    bench = Bench(every=3600)
    await bench.submit(0, 4)
    await until(lambda: bench.acked == [4])
    assert bench.writes.written == [["batch 0-4"], ["checkpoint"]]


async def test_batches_wait_for_the_checkpoint_that_covers_them() -> None:
    bench = Bench(every=3600)
    await bench.submit(0, 4)
    await until(lambda: bench.acked == [4])
    await bench.submit(5, 6)
    await bench.submit(7, 8)
    assert bench.acked == [4]
    await bench.lane.drain()
    assert bench.acked == [4, 6, 8]
    assert bench.writes.written[2:] == [["batch 5-6"], ["batch 7-8"], ["checkpoint"]]


async def test_writes_keep_the_order_of_decisions_while_the_broker_is_slow() -> None:
    bench = Bench(every=0)
    bench.writes.gate.clear()
    first = asyncio.create_task(bench.submit(0, 1))
    second = asyncio.create_task(bench.submit(2, 3))
    await asyncio.sleep(0)
    assert bench.acked == []
    bench.writes.gate.set()
    await asyncio.gather(first, second)
    await bench.lane.drain()
    assert bench.acked == [1, 3]
    order = [line for outbox in bench.writes.written for line in outbox if line != "checkpoint"]
    assert order == ["batch 0-1", "batch 2-3"]


async def test_no_more_batches_are_taken_than_may_be_in_flight() -> None:
    bench = Bench(every=3600)
    bench.writes.gate.clear()
    for at in range(IN_FLIGHT):
        await bench.submit(at, at)
    one_more = asyncio.create_task(bench.submit(IN_FLIGHT, IN_FLIGHT))
    done, _ = await asyncio.wait((one_more,), timeout=0.05)
    assert not done
    bench.writes.gate.set()
    await asyncio.wait_for(one_more, 5)
    await bench.lane.drain()
    assert bench.acked == list(range(IN_FLIGHT + 1))


async def test_the_step_is_told_of_each_outbox_when_it_is_written_and_no_sooner() -> None:
    bench = Bench(every=3600)
    bench.writes.gate.clear()
    await bench.submit(0, 1)
    await bench.submit(2, 3)
    await asyncio.sleep(0.02)
    assert bench.step.told == 0
    bench.writes.gate.set()
    await bench.lane.drain()
    assert bench.step.told == len(bench.writes.written) == 3


async def test_a_write_that_fails_stops_everything_behind_it() -> None:
    bench = Bench(every=3600)
    bench.writes.error = RuntimeError("the broker refused")
    await bench.submit(0, 1)
    await until(lambda: bool(bench.failures))
    assert bench.acked == []
    assert bench.writes.written == []
    assert bench.step.told == 0


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_a_step_that_wants_a_checkpoint_gets_one_though_no_record_came() -> None:
    bench = Bench(every=0.0)
    bench.lane.tick(5)
    assert bench.writes.written == []
    bench.step.wanting = True
    bench.lane.tick(None)
    bench.lane.tick(5)
    await bench.lane.drain()
    assert bench.writes.written == [["checkpoint"]]


async def test_no_second_checkpoint_is_asked_for_while_one_is_being_written() -> None:
    bench = Bench(every=0.0)
    bench.step.wanting = True
    bench.writes.gate.clear()
    bench.lane.tick(5)
    await asyncio.sleep(0)
    bench.lane.tick(6)
    bench.writes.gate.set()
    await bench.lane.drain()
    assert bench.writes.written == [["checkpoint"]]
