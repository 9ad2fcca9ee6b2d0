"""From the spool to Kafka: in the order of arrival, each delivery until Kafka has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import msgspec

from core import metrics
from core.logs import get
from ingest.delivery import Delivery
from ingest.oversize import fit, may_not_fit
from ingest.publisher import Late, Outcome, Publisher, Stored
from ingest.spool import entry
from ingest.spool.segments import Position
from ingest.spool.spool import Spool, Ticket

log = get(__name__)

FIRST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 2.0

ADOPT_EVERY_S = 5.0

_Sent = tuple[Position, list[asyncio.Future[Outcome]]]


class Drain:
    """Sends what a spool holds. While its last bytes are handed over, new requests are asked to wait a moment."""

    def __init__(self, spool: Spool, publisher: Publisher) -> None:
        self._spool = spool
        self._publisher = publisher
        self._open = asyncio.Event()
        self._open.set()

    @property
    def passable(self) -> bool:
        """Whether a request may go to Kafka now without overtaking what waits in the spool."""
        return self._open.is_set() and not self._spool.pending

    async def settled(self) -> None:
        """Return when it is known whether requests go to Kafka or to the spool: at once, save at the hand-over."""
        await self._open.wait()

    async def run(self) -> None:
        """Drain for ever; ends when cancelled."""
        backoff = FIRST_BACKOFF_S
        while True:
            await self._spool.wait()
            if self._publisher.available and await self.round():
                backoff = FIRST_BACKOFF_S
            else:
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_S) if self._publisher.available else FIRST_BACKOFF_S

    async def round(self) -> bool:
        """Send all that is there; tell whether Kafka has it."""
        try:
            sent = await self._hand_over()
            if await self._commit(sent):
                return True
            await self._spool.rewind()
        except OSError as error:
            log.error("the spool cannot be read", error=error.strerror)  # noqa: TRY400 -- the disk's word is enough
        return False

    async def _hand_over(self) -> list[_Sent]:
        """Submit everything; what is submitted last may still be unanswered when this returns."""
        spool = self._spool
        sent: list[_Sent] = []
        try:
            while True:
                chunk = await spool.read()
                sent.append((chunk.position, await self._submit(chunk.items)))
                if spool.unread:
                    # One chunk in flight: Kafka's answer comes before the next is in memory.
                    if not await self._commit(sent):
                        return sent
                    sent = []
                elif spool.writing:
                    # The last stretch: requests that came until now are on their way to the disk, later ones wait.
                    self._open.clear()
                    await spool.flushed()
                else:
                    return sent
        finally:
            self._open.set()

    async def _submit(self, items: list[tuple[bytes, Ticket | None]]) -> list[asyncio.Future[Outcome]]:
        waiters = []
        for payload, ticket in items:
            if ticket is not None and await asyncio.shield(ticket):
                metrics.INGEST_SPOOL.labels("already_stored").inc()
                continue
            delivery = await self._fitting(payload)
            if delivery is not None:
                waiters.append(self._publisher.submit(delivery))
        return waiters

    async def _fitting(self, payload: bytes) -> Delivery | None:
        """Return what Kafka takes of a payload; the rest is set aside on disk. Raises OSError."""
        try:
            delivery = entry.decode(payload)
        except msgspec.DecodeError:
            log.error("a spooled delivery cannot be read; it was set aside")  # noqa: TRY400 -- no text of events here
            metrics.INGEST_SPOOL.labels("unreadable").inc()
            await self._spool.set_aside(payload)
            return None
        link = self._publisher.link
        if link is None or not may_not_fit(delivery, link.limits):
            return delivery
        fits, rest = fit(delivery, link.limits)
        if len(rest):
            await self._spool.set_aside(entry.encode(rest))
        return fits if len(fits) else None

    async def _commit(self, sent: list[_Sent]) -> bool:
        """Wait for Kafka and note what is done; tell whether it was everything."""
        for position, waiters in sent:
            for waiter in waiters:
                if not await _stored(waiter):
                    return False
            await self._spool.commit(position)
            metrics.INGEST_SPOOL.labels("sent").inc(len(waiters))
        return True


class Adoption:
    """Sends what processes left behind that are no more: their slots of the spool directory."""

    def __init__(self, root: Path, max_bytes: int, publisher: Publisher) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._publisher = publisher

    async def run(self) -> None:
        """Look for orphans for ever; ends when cancelled."""
        while True:
            if self._publisher.available:
                spool = Spool(self._root, self._max_bytes, adopt=True)
                try:
                    await self._empty(spool)
                finally:
                    await spool.close()
            await asyncio.sleep(ADOPT_EVERY_S)

    async def _empty(self, spool: Spool) -> None:
        if not await spool.open():
            return
        log.info("sending what another process left in its spool", bytes=spool.size)
        drain = Drain(spool, self._publisher)
        while spool.unread and self._publisher.available and await drain.round():
            pass


async def _stored(waiter: Awaitable[Outcome]) -> bool:
    outcome = await waiter
    if isinstance(outcome, Late):
        return await asyncio.shield(outcome.answer)
    return isinstance(outcome, Stored)
