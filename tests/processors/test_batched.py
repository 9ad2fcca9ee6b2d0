"""The batch transport on a real broker: delivery, rebalance, recovery, taken-back transactions, foreign writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from faust.types import TP

from core.clock import now_ms
from core.kafka import TopicSpec, create_topics
from processors.batched import BatchApp, BatchTable, Outbox
from processors.batched.app import BUFFERED
from processors.batched.messages import RecordBatch
from tests.core.held import HeldAnswers

pytestmark = pytest.mark.stack

PARTITIONS = 4
DEADLINE_S = 60


class Copying:
    """A step that copies every record to an output topic, and keeps the offsets it has seen in a table."""

    def __init__(self, lab: Lab, partition: int) -> None:
        self.lab, self.partition = lab, partition

    def process(self, records: Sequence[Any], outbox: Outbox) -> None:
        copy = outbox.to(self.lab.target, self.partition)
        for record in records:
            copy(record.key, record.value)
            self.lab.seen.append((self.partition, record.offset))
        self.lab.state[self.partition] = records[-1].offset

    def checkpoint(self, outbox: Outbox) -> None:
        outbox.to(self.lab.changelog, self.partition)(b"last", b"%d" % self.lab.state[self.partition])

    def written(self) -> None: ...

    def wants_checkpoint(self, seen_until: int | None) -> bool:
        if seen_until is not None:
            self.lab.through[self.partition] = (seen_until, len(self.lab.seen))
        return False

    def committed(self, offset: int) -> None:
        self.lab.told_committed[self.partition] = offset

    def rewrite(self, topic: str, partition: int) -> None:
        self.lab.rewritten.append((topic, partition))


class Lab:
    """Topics of one test, and what one process saw."""

    def __init__(self, kafka: str, name: str, folder: Path) -> None:
        self.kafka, self.name, self.folder = kafka, name, folder
        self.source, self.target = f"{name}.source", f"{name}.target"
        self.changelog = f"{name}-last-changelog"
        self.seen: list[tuple[int, int]] = []
        self.state: dict[int, int] = {}
        self.recovered: list[tuple[int, int]] = []
        self.rewritten: list[tuple[str, int]] = []
        self.told_committed: dict[int, int] = {}
        self.through: dict[int, tuple[int, int]] = {}
        """By partition: until when everything was seen, and how much had been seen when that was said."""

    def another(self) -> Lab:
        """Return a second process's view of the same topics."""
        return Lab(self.kafka, self.name, self.folder)

    def forget(self, partition: int) -> None:
        self.state.pop(partition, None)

    def restore(self, partition: int, records: Sequence[Any]) -> None:
        for record in records:
            self.state[partition] = int(record.value)
            self.recovered.append((partition, record.offset))

    @asynccontextmanager
    async def running(self, standbys: int = 0, commit_every: float = 0.2, fetch: int = 500) -> AsyncIterator[BatchApp]:
        app = BatchApp(
            self.name,
            broker=f"kafka://{self.kafka}",
            datadir=self.folder,
            store="memory://",
            web_enabled=False,
            key_serializer="raw",
            value_serializer="raw",
            topic_partitions=PARTITIONS,
            topic_disable_leader=True,
            topic_allow_declare=False,
            table_standby_replicas=standbys,
            consumer_auto_offset_reset="earliest",
            broker_max_poll_records=fetch,
            broker_session_timeout=6.0,
            broker_rebalance_timeout=6.0,
            broker_heartbeat_interval=1.0,
            broker_commit_interval=commit_every,
        )
        app.batch_table(
            BatchTable(
                app,
                name="last",
                restore=self.restore,
                forget=self.forget,
                partitions=PARTITIONS,
            )
        )
        app.step(self.source, lambda partition: Copying(self, partition), every=0.05)
        app.finalize()
        await app.start()
        try:
            yield app
        finally:
            await app.stop()

    async def produce(self, *values: bytes, partition: int = 0) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        async with producer:
            for value in values:
                await producer.send_and_wait(self.source, value, key=b"k", partition=partition)

    async def copies(self, partition: int = 0) -> list[bytes]:
        """Return what stands in a partition of the output topic."""
        return [record.value for record in await read(self.kafka, self.target, partition)]

    async def committed(self, partition: int = 0) -> int:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=self.name, enable_auto_commit=False)
        async with consumer:
            return await consumer.committed(TopicPartition(self.source, partition)) or 0


async def read(kafka: str, topic: str, partition: int) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed")
    async with consumer:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        records: list[Any] = []
        while await consumer.position(tp) < end:
            for found in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(found)
        return records


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def lab(kafka: str, tmp_path: Path) -> Lab:
    made = Lab(kafka, f"lab{uuid4().hex[:12]}", tmp_path)
    compacted = {"cleanup.policy": "compact"}
    specs = [TopicSpec(made.source), TopicSpec(made.target), TopicSpec(made.changelog, config=compacted)]
    await create_topics(kafka, specs, partitions=PARTITIONS, replication=1)
    return made


async def test_every_record_reaches_the_step_once_and_in_order(lab: Lab) -> None:
    values = [b"%d" % number for number in range(300)]
    async with lab.running():
        await lab.produce(*values, partition=2)
        await until(lambda: len(lab.seen) >= len(values))
        await until(lambda: lab.told_committed[2] == len(values))
    assert lab.seen == [(2, offset) for offset in range(300)]
    assert [lab.told_committed[quiet] for quiet in (0, 1, 3)] == [0, 0, 0]
    assert await lab.copies(2) == values
    assert await lab.committed(2) == 300


async def test_other_consumers_of_the_process_get_the_records_they_know(lab: Lab) -> None:
    async with lab.running():
        await lab.produce(b"a")
        await until(lambda: len(lab.seen) == 1)
        (copy,) = await read(lab.kafka, lab.target, 0)
    assert isinstance(copy, ConsumerRecord)


async def test_a_quiet_partition_tells_until_when_it_was_seen(lab: Lab) -> None:
    async with lab.running():
        await until(lambda: len(lab.through) == PARTITIONS)
        await lab.produce(b"a")
        written = now_ms()
        await until(lambda: all(moment > written for moment, _ in lab.through.values()))
        assert lab.through[0][1] == len(lab.seen) == 1


async def test_an_answer_that_is_late_tells_of_no_later_moment(lab: Lab) -> None:
    """What a fetch found is true of the moment it was asked, though a busy process may look at it long after."""
    part = TP(lab.source, 0)
    async with lab.running() as app:
        await until(lambda: len(lab.through) == PARTITIONS)
        answers = HeldAnswers(app.batches._thread._consumer)
        await answers.next()
        before = app.batches.seen_until()[part]
        await lab.produce(b"a")
        written = now_ms()
        answers.let_go()
        # The next answer is held, too: what is known now, the first one told.
        await until(lambda: app.batches.seen_until()[part] != before)
        moment = app.batches.seen_until()[part]
        assert moment is not None
        assert moment < written
        assert not lab.seen
        answers.let_go(1000)
        await until(lambda: lab.through[0][0] > written)
        assert lab.through[0][1] == len(lab.seen) == 1


async def test_what_waits_for_a_slow_step_is_bounded(lab: Lab) -> None:
    part = TP(lab.source, 0)
    async with lab.running(fetch=10) as app:
        await until(lambda: part in app.batches.lag())
        go, accept = asyncio.Event(), app.batches.accept

        async def held(batch: RecordBatch) -> Sequence[Any]:
            await go.wait()
            return await accept(batch)

        app.batches.accept = held  # type: ignore[method-assign]
        producer = AIOKafkaProducer(bootstrap_servers=lab.kafka)
        async with producer:
            await asyncio.gather(*[await producer.send(lab.source, b"%d" % at, partition=0) for at in range(1000)])
        # One batch with the step, those that wait, and one that is being handed over.
        most = (BUFFERED + 2) * 10
        await until(lambda: app.batches._cursors[part].fetched >= BUFFERED * 10)
        await asyncio.sleep(1)
        assert app.batches._cursors[part].fetched <= most
        go.set()
        await until(lambda: len(lab.seen) == 1000)
    assert lab.seen == [(0, offset) for offset in range(1000)]


async def test_a_restart_goes_on_where_the_commit_stands_with_its_state(lab: Lab) -> None:
    async with lab.running():
        await lab.produce(b"a", b"b")
        await until(lambda: len(lab.seen) == 2)
    again = lab.another()
    async with again.running():
        await again.produce(b"c")
        await until(lambda: len(again.seen) == 1)
    assert again.seen == [(0, 2)]
    assert again.recovered[-1][0] == 0
    assert await lab.copies() == [b"a", b"b", b"c"]


async def test_partitions_move_to_a_second_worker_without_loss(lab: Lab) -> None:
    second = lab.another()

    async def everywhere(letter: bytes) -> None:
        for partition in range(PARTITIONS):
            await lab.produce(*(letter + b"%d" % number for number in range(20)), partition=partition)

    async with lab.running() as app:
        await everywhere(b"a")
        await until(lambda: len(set(lab.seen)) == 80)
        async with second.running() as other:
            await until(lambda: bool(other.started and not app.rebalancing and other.tables.actives_ready))
            await until(lambda: 0 < len(other.batches.lag()) < PARTITIONS)
            await everywhere(b"b")
            await until(lambda: len(set(lab.seen) | set(second.seen)) == 160)
        # The second has left: its partitions come back.
        await everywhere(b"c")
        await until(lambda: len(set(lab.seen) | set(second.seen)) == 240)
    assert second.seen
    for partition in range(PARTITIONS):
        expected = [letter + b"%d" % number for letter in (b"a", b"b", b"c") for number in range(20)]
        found = await lab.copies(partition)
        # At least once: what repeats after a rebalance repeats in order.
        assert list(dict.fromkeys(found)) == expected
        assert await lab.committed(partition) == 60


async def test_nothing_that_was_finished_is_repeated_when_partitions_move(lab: Lab) -> None:
    second = lab.another()
    # No commit by the clock: only what the rebalance and the stop commit.
    async with lab.running(commit_every=3600) as app:
        for partition in range(PARTITIONS):
            await lab.produce(b"a", b"b", partition=partition)
        await until(lambda: len(set(lab.seen)) == 2 * PARTITIONS and not app.batches.pending)
        async with second.running(commit_every=3600) as other:
            await until(lambda: bool(other.started and not app.rebalancing and other.tables.actives_ready))
            await until(lambda: 0 < len(other.batches.lag()) < PARTITIONS)
            for partition in range(PARTITIONS):
                await lab.produce(b"c", partition=partition)
            await until(lambda: len(set(lab.seen) | set(second.seen)) == 3 * PARTITIONS)
        await until(lambda: len(app.batches.lag()) == PARTITIONS)
    assert sorted(lab.seen + second.seen) == [
        (partition, offset) for partition in range(PARTITIONS) for offset in range(3)
    ]
    assert [await lab.committed(partition) for partition in range(PARTITIONS)] == [3] * PARTITIONS


async def test_a_partition_that_stays_is_not_recovered_again(lab: Lab) -> None:
    async with lab.running() as app:
        for partition in range(PARTITIONS):
            await lab.produce(b"a", partition=partition)
        await until(lambda: len(lab.seen) == PARTITIONS)
        second = lab.another()
        async with second.running() as other:
            await until(lambda: bool(other.started and other.tables.actives_ready and 0 < len(other.batches.lag()) < 4))
            await until(lambda: not app.rebalancing)
        await until(lambda: len(app.batches.lag()) == PARTITIONS)
    stayed = set(range(PARTITIONS)) - {partition for partition, _ in second.recovered}
    assert stayed
    assert not [partition for partition, _ in lab.recovered if partition in stayed]


async def test_a_standby_follows_and_takes_over_without_reading_again(lab: Lab) -> None:
    second = lab.another()
    async with second.running(standbys=1) as other:
        async with lab.running(standbys=1) as app:
            await until(lambda: bool(app.tables.actives_ready and other.tables.actives_ready))
            await until(lambda: {len(app.batches.lag()), len(other.batches.lag())} == {2})
            for partition in range(PARTITIONS):
                await lab.produce(b"a", b"b", partition=partition)
            await until(lambda: len(set(lab.seen) | set(second.seen)) == 8)
            mine = {partition for partition, _ in lab.seen}
            # Up to the last checkpoint, which has both records' offset.
            await until(
                lambda: {partition: second.state.get(partition) for partition in mine} == dict.fromkeys(mine, 1)
            )
        followed = list(second.recovered)
        # The first has left: the second goes on from the copies that it has.
        await until(lambda: len(other.batches.lag()) == PARTITIONS)
        for partition in mine:
            await second.produce(b"c", partition=partition)
        await until(lambda: {(partition, 2) for partition in mine} <= set(second.seen))
    assert second.recovered == followed
    for partition in range(PARTITIONS):
        found = await lab.copies(partition)
        assert list(dict.fromkeys(found)) == [b"a", b"b", b"c"][: 3 if partition in mine else 2]


async def test_what_a_transaction_took_back_never_reaches_the_step(lab: Lab) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=lab.kafka, transactional_id=f"{lab.name}-tx")
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(lab.source, b"taken back", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(lab.source, b"kept", partition=0)
    async with lab.running() as app:
        # The marker at the end has an offset, and is no lag: nothing will ever be done about it.
        await until(lambda: len(lab.seen) >= 1 and not sum(app.batches.lag().values()))
        await lab.produce(b"after")
        await until(lambda: len(lab.seen) >= 2)
    assert await lab.copies() == [b"kept", b"after"]


async def test_a_foreign_write_to_the_changelog_is_noticed_and_answered(lab: Lab) -> None:
    async with lab.running() as app:
        await lab.produce(b"a")
        await until(lambda: len(lab.seen) == 1 and lab.state == {0: 0})
        await until(lambda: app.idle or app.tables["last"].persisted_offset is not None)
        producer = AIOKafkaProducer(bootstrap_servers=lab.kafka)
        async with producer:
            await producer.send_and_wait(lab.changelog, b"0", key=b"last", partition=0)
        await lab.produce(b"b")
        await until(lambda: bool(lab.rewritten))
    assert lab.rewritten[0] == (lab.changelog, 0)


async def test_a_seek_voids_what_was_fetched_before_it(lab: Lab) -> None:
    async with lab.running() as app:
        await lab.produce(*(b"%d" % number for number in range(50)))
        await until(lambda: len(lab.seen) == 50)
        await app.batches.perform_seek()
        await lab.produce(b"last")
        await until(lambda: (0, 50) in lab.seen)
    assert list(dict.fromkeys(await lab.copies())) == [b"%d" % number for number in range(50)] + [b"last"]
