"""Group commit to Kafka: requests that arrive during a produce round share the next round's batches.

A *generation* is what is produced together: one run of batches for each partition, and one future for each request.
Records are appended while the round before is under way; at most two generations are in Kafka's hands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError
from core.logs import get
from ingest.delivery import Delivery
from ingest.link import Link
from ingest.records import Batches
from schemas import topics

log = get(__name__)

IN_FLIGHT = 2
"""Generations in Kafka's hands: one on the wire, one queued behind it so that the wire is never idle."""

LARGE_BYTES = 32 * 1024
"""Bytes of bodies from which a generation is worth queueing: a smaller one does better to wait for more requests, for a
round costs as much as several of them."""

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 2.0
CONNECT_TIMEOUT_S = 15.0


class Stored:
    """All in-sync replicas have all of the delivery."""


class Failed:
    """Kafka was not asked, or refused; a part of the delivery may be stored."""


@dataclass(frozen=True, slots=True)
class Late:
    """Kafka has not answered in time. `answer` will tell whether it stored all of the delivery after all."""

    answer: asyncio.Future[bool]


Outcome = Stored | Failed | Late

STORED = Stored()
FAILED = Failed()


class Generation:
    """Batches that are produced together, and the requests that wait for them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        limits = link.limits
        self._raw = Batches(limits.raw_partitions, limits.batch_bytes, lz4=limits.lz4)
        self._dead = Batches(limits.dead_partitions, limits.batch_bytes, lz4=limits.lz4)
        self._waiters: list[asyncio.Future[Outcome]] = []
        self.timer: asyncio.TimerHandle | None = None
        self.size = 0
        """Bytes of the bodies in it."""
        self.answer: asyncio.Future[bool] | None = None
        """What requests that were told Late still want to know."""
        self._unanswered = 0

    def add(self, delivery: Delivery, waiter: asyncio.Future[Outcome]) -> None:
        """Append a request's records to the batches of their partitions."""
        self._raw.add_events(delivery.received_ms, delivery.raw)
        for value, headers in delivery.dead:
            self._dead.add_letter(delivery.received_ms, value, headers)
        self.size += delivery.size
        self._waiters.append(waiter)

    async def hand_over(self, settled: Callable[[Generation, bool], None]) -> None:
        """Give all batches to the producer; `settled` is called once, when Kafka has answered for all of them.

        Raises what `Link.send` raises; `settled` is then never called.
        """
        futures = [
            await self._link.send(topic, partition, batch)
            for topic, batches in ((topics.RAW, self._raw), (topics.DEAD, self._dead))
            for partition, batch in batches
        ]
        self._unanswered = len(futures)
        failed = False

        def answered(future: asyncio.Future[Any]) -> None:
            nonlocal failed
            self._unanswered -= 1
            if future.cancelled() or future.exception() is not None:
                failed = True
                log.warning("kafka refused a batch", error=repr(None if future.cancelled() else future.exception()))
            if self._unanswered == 0:
                settled(self, not failed)

        for future in futures:
            future.add_done_callback(answered)

    def resolve(self, outcome: Outcome) -> None:
        """Answer every request that still waits."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        self._waiters.clear()


class Publisher:
    """Keeps a link to Kafka open and runs the rounds. `submit` never blocks and never raises."""

    def __init__(self, connect: Callable[[], Awaitable[Link]], ack_timeout_s: float) -> None:
        self._connect = connect
        self.ack_timeout_s = ack_timeout_s
        """Longest that a delivery waits for its outcome."""
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._next: Generation | None = None
        self._in_flight: set[Generation] = set()
        self._overdue = 0
        self._go = asyncio.Event()
        self._broken = asyncio.Event()

    @property
    def link(self) -> Link | None:
        """The link to Kafka, None while there is none."""
        return self._link

    @property
    def available(self) -> bool:
        """Whether a delivery may be submitted: Kafka is there, and nothing it was given is overdue."""
        return self._link is not None and self._overdue == 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits for Kafka."""
        return self._next is None and not self._in_flight

    def submit(self, delivery: Delivery) -> asyncio.Future[Outcome]:
        """Add a delivery to the next generation. Cancelling the future cancels nothing else."""
        waiter: asyncio.Future[Outcome] = self._loop.create_future()
        if self._link is None or self._overdue:
            waiter.set_result(FAILED)
            return waiter
        generation = self._next
        if generation is None:
            generation = self._next = Generation(self._link)
            generation.timer = self._loop.call_later(self.ack_timeout_s, self._expire, generation)
        generation.add(delivery, waiter)
        if self._is_due():
            self._go.set()
        return waiter

    def _is_due(self) -> bool:
        """Tell whether the next generation is to be handed over now."""
        if self._next is None:
            return False
        under_way = len(self._in_flight)
        return not under_way or (under_way < IN_FLIGHT and self._next.size >= LARGE_BYTES)

    def _expire(self, generation: Generation) -> None:
        if generation is self._next:
            # Kafka has seen nothing of it: it is dropped whole.
            self._next = None
            generation.resolve(FAILED)
            return
        if not self._overdue:
            log.warning("kafka is slower than the ack budget", budget_s=self.ack_timeout_s)
        self._overdue += 1
        generation.answer = self._loop.create_future()
        generation.resolve(Late(generation.answer))

    async def run(self) -> None:
        """Connect, produce, and connect anew whenever the link breaks. Raises ConfigError; ends when cancelled."""
        while True:
            link = self._link = await self._open()
            self._broken.clear()
            rounds = asyncio.create_task(self._rounds())
            try:
                await self._broken.wait()
                log.warning("kafka link broken, connecting anew")
            finally:
                rounds.cancel()
                self._drop_all()
                await link.close()

    async def _open(self) -> Link:
        backoff = FIRST_BACKOFF_S
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    link = await self._connect()
            except ConfigError:
                raise
            except Exception as error:  # noqa: BLE001 -- whatever keeps Kafka away, the next try may succeed
                log.warning("kafka is away", error=repr(error), retry_s=backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_S)
            else:
                log.info("kafka connected", partitions=link.limits.raw_partitions)
                return link

    async def _rounds(self) -> None:
        while True:
            while not self._is_due():
                self._go.clear()
                await self._go.wait()
            generation, self._next = self._next, None
            assert generation is not None  # noqa: S101 -- what is due exists
            self._in_flight.add(generation)
            try:
                await generation.hand_over(self._settled)
            except Exception as error:  # noqa: BLE001 -- aiokafka asserts too; whatever it is, the link is replaced
                log.warning("kafka takes no batch", error=repr(error))
                self._broken.set()
                return

    def _settled(self, generation: Generation, stored: bool) -> None:  # noqa: FBT001 -- a callback's only fact
        if generation not in self._in_flight:
            return
        self._in_flight.remove(generation)
        self._go.set()
        if generation.answer is not None:
            self._overdue -= 1
            generation.answer.set_result(stored)
        generation.resolve(STORED if stored else FAILED)
        if not stored:
            self._broken.set()

    def _drop_all(self) -> None:
        """Answer everything that waits on a link that is given up."""
        self._link = None
        waiting = [*self._in_flight, *([self._next] if self._next else [])]
        self._in_flight.clear()
        self._next = None
        self._overdue = 0
        for generation in waiting:
            if generation.answer is not None:
                generation.answer.set_result(False)
            generation.resolve(FAILED)
