"""Group commit: who shares a round, who waits for whom, what a broken link leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from core.errors import BrokerUnavailableError, ConfigError
from core.kafka_reader import records_of
from core.kafka_writer import Batch, encode_headers
from ingest.body import Parked
from ingest.delivery import Delivery, build
from ingest.link import Limits, Link
from ingest.publisher import FAILED, LARGE_BYTES, STORED, Late, Publisher
from tests.ingest.making import split_of
from tests.ingest.waiting import until


def three_records() -> int:
    """Return the size of a batch of three of the records that are sent here, each of one byte."""
    batch = Batch(1 << 20, lz4=False)
    for _, value, group in delivery(b"a", b"b", b"c").raw:
        batch.append(1, b"k", value, encode_headers(group.headers))
    return batch.size()


class FakeLink:
    """Kafka as the publisher sees it; the test answers each batch."""

    def __init__(self) -> None:
        self.limits = Limits(1, 1, 1000, 1000, batch_bytes=three_records())
        self.sent: list[tuple[str, list[bytes], asyncio.Future[None]]] = []
        self.arrived = asyncio.Event()
        self.error: Exception | None = None
        self.closed = False

    async def send(self, topic: str, partition: int, batch: Batch) -> asyncio.Future[None]:
        if self.error is not None:
            raise self.error
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        values = [record.value or b"" for record in records_of(batch._build())]
        self.sent.append((topic, values, future))
        self.arrived.set()
        return future

    async def next(self) -> tuple[str, list[bytes], asyncio.Future[None]]:
        async with asyncio.timeout(5):
            while not self.sent:
                self.arrived.clear()
                await self.arrived.wait()
        return self.sent.pop(0)

    async def close(self) -> None:
        self.closed = True


def delivery(*values: bytes, size: int = 0) -> Delivery:
    found = split_of([(b"k", value) for value in values])
    return build(found, size, received_ms=1, delivery="d", source="webhook")


@asynccontextmanager
async def publishing(*links: FakeLink | Exception, budget_s: float = 60.0) -> AsyncIterator[Publisher]:
    waiting = list(links)

    async def connect() -> Link:
        if not waiting:
            await asyncio.Event().wait()
        link = waiting.pop(0)
        if isinstance(link, Exception):
            raise link
        return cast("Link", link)

    publisher = Publisher(connect, budget_s)
    task = asyncio.create_task(publisher.run())
    try:
        if isinstance(links[0], FakeLink):
            await until(lambda: publisher.link is not None)
        yield publisher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_requests_that_arrive_during_a_round_share_the_next_one() -> None:
    link = FakeLink()
    async with publishing(link) as publisher:
        first = [publisher.submit(delivery(b"a")), publisher.submit(delivery(b"b"))]
        _, values, answer = await link.next()
        assert values == [b"a", b"b"]
        second = publisher.submit(delivery(b"c", size=LARGE_BYTES))
        assert (await link.next())[1] == [b"c"], "one more large round is queued behind the one on the wire"
        later = [publisher.submit(delivery(b"d")), publisher.submit(delivery(b"e", size=LARGE_BYTES))]
        await asyncio.sleep(0)
        assert link.sent == []
        answer.set_result(None)
        assert await asyncio.gather(*first) == [STORED] * 2
        _, values, answer = await link.next()
        assert values == [b"d", b"e"]
        answer.set_result(None)
        assert await asyncio.gather(*later) == [STORED] * 2
        assert not second.done()


async def test_a_small_round_waits_for_the_one_on_the_wire_or_until_it_is_large() -> None:
    link = FakeLink()
    async with publishing(link) as publisher:
        publisher.submit(delivery(b"a"))
        await link.next()
        publisher.submit(delivery(b"b"))
        await asyncio.sleep(0)
        assert link.sent == []
        publisher.submit(delivery(b"c", size=LARGE_BYTES))
        assert (await link.next())[1] == [b"b", b"c"]


async def test_a_full_batch_is_followed_by_another_in_order() -> None:
    link = FakeLink()
    async with publishing(link) as publisher:
        waiter = publisher.submit(delivery(*(b"%d" % number for number in range(7))))
        answers = []
        for expected in ([b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"6"]):
            _, values, answer = await link.next()
            assert values == expected
            answers.append(answer)
        for answer in answers:
            assert not waiter.done()
            answer.set_result(None)
        assert await waiter is STORED


async def test_dead_letters_of_a_request_must_be_stored_too() -> None:
    link = FakeLink()
    async with publishing(link) as publisher:
        waiter = publisher.submit(
            build(
                split_of([(b"k", b"a")], [Parked(b"x", "r", "d")]),
                0,
                received_ms=1,
                delivery="d",
                source="webhook",
            )
        )
        sent = [await link.next(), await link.next()]
        assert [(topic, values) for topic, values, _ in sent] == [("im.events.raw", [b"a"]), ("im.events.dead", [b"x"])]
        sent[0][2].set_result(None)
        await asyncio.sleep(0)
        assert not waiter.done()
        sent[1][2].set_result(None)
        assert await waiter is STORED


async def test_a_cancelled_request_cancels_nothing_else() -> None:
    link = FakeLink()
    async with publishing(link) as publisher:
        cancelled, other = publisher.submit(delivery(b"a")), publisher.submit(delivery(b"b"))
        cancelled.cancel()
        _, values, answer = await link.next()
        assert values == [b"a", b"b"]
        answer.set_result(None)
        assert await other is STORED


async def test_without_a_link_nothing_is_taken() -> None:
    async with publishing(BrokerUnavailableError("away")) as publisher:
        assert not publisher.available
        assert await publisher.submit(delivery(b"a")) is FAILED


async def test_a_link_is_tried_again_until_there_is_one() -> None:
    link = FakeLink()
    async with publishing(BrokerUnavailableError("away"), OSError("odd"), link) as publisher:
        await until(lambda: publisher.available)
        waiter = publisher.submit(delivery(b"a"))
        (await link.next())[2].set_result(None)
        assert await waiter is STORED


async def test_a_wrong_topic_ends_it() -> None:
    async def connect() -> Link:
        raise ConfigError("the topic has other partitions")

    with pytest.raises(ConfigError):
        await Publisher(connect, 1.0).run()


async def test_a_late_round_is_told_late_and_nothing_more_is_taken_until_it_is_answered() -> None:
    link = FakeLink()
    async with publishing(link, budget_s=0.05) as publisher:
        waiter = publisher.submit(delivery(b"a"))
        answer = (await link.next())[2]
        late = await waiter
        assert isinstance(late, Late)
        assert not publisher.available
        assert await publisher.submit(delivery(b"b")) is FAILED
        answer.set_result(None)
        assert await late.answer is True
        waiter = publisher.submit(delivery(b"c"))
        (await link.next())[2].set_result(None)
        assert await waiter is STORED


async def test_a_round_that_kafka_never_saw_is_dropped_whole() -> None:
    link = FakeLink()
    async with publishing(link, budget_s=0.05) as publisher:
        shown = [publisher.submit(delivery(b"a"))]
        answers = [(await link.next())[2]]
        shown.append(publisher.submit(delivery(b"b", size=LARGE_BYTES)))
        answers.append((await link.next())[2])
        hidden = publisher.submit(delivery(b"c"))
        assert await hidden is FAILED
        assert all([isinstance(await waiter, Late) for waiter in shown])
        for answer in answers:
            answer.set_result(None)
        await until(lambda: publisher.available)
        assert link.sent == []


@pytest.mark.parametrize("how", ["answer", "cancelled", "send", "assertion"])
async def test_a_refused_batch_fails_its_round_and_the_link_is_replaced(how: str) -> None:
    first, second = FakeLink(), FakeLink()
    if how == "send":
        first.error = BrokerUnavailableError("no leader")
    if how == "assertion":
        first.error = AssertionError("Unrecognized partition")
    async with publishing(first, second) as publisher:
        waiter = publisher.submit(delivery(b"a"))
        if first.error is None:
            answer = (await first.next())[2]
            if how == "cancelled":
                answer.cancel()
            else:
                answer.set_exception(BrokerUnavailableError("sequence"))
        assert await waiter is FAILED
        await until(lambda: first.closed and publisher.available)
        waiter = publisher.submit(delivery(b"b"))
        (await second.next())[2].set_result(None)
        assert await waiter is STORED


async def test_an_answer_after_the_link_was_given_up_harms_nothing() -> None:
    first, second = FakeLink(), FakeLink()
    async with publishing(first, second) as publisher:
        waiters = [publisher.submit(delivery(b"a"))]
        broken = (await first.next())[2]
        waiters.append(publisher.submit(delivery(b"b", size=LARGE_BYTES)))
        late = (await first.next())[2]
        broken.set_exception(BrokerUnavailableError("x"))
        assert [await waiter for waiter in waiters] == [FAILED] * 2
        await until(lambda: publisher.available)
        late.set_result(None)
        waiter = publisher.submit(delivery(b"c"))
        (await second.next())[2].set_result(None)
        assert await waiter is STORED
        assert publisher.idle


async def test_a_late_answer_may_be_no() -> None:
    first, second = FakeLink(), FakeLink()
    async with publishing(first, second, budget_s=0.05) as publisher:
        waiters = [publisher.submit(delivery(b"a"))]
        answer = (await first.next())[2]
        waiters.append(publisher.submit(delivery(b"b", size=LARGE_BYTES)))
        await first.next()
        late = [await waiter for waiter in waiters]
        answer.set_exception(BrokerUnavailableError("x"))
        assert [await outcome.answer for outcome in late if isinstance(outcome, Late)] == [False, False]
