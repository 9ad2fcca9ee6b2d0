"""Makes deliveries durable: in Kafka, or on disk while Kafka is away or slow."""

from __future__ import annotations

import asyncio

from core import metrics
from core.clock import now_ms
from core.logs import get
from ingest.delivery import Delivery
from ingest.drain import Drain
from ingest.link import Limits
from ingest.oversize import ROOM, fit, may_not_fit
from ingest.publisher import Late, Publisher, Stored
from ingest.spool import entry
from ingest.spool.spool import Spool, Ticket

log = get(__name__)

UNLIMITED = 2**62


class Store:
    """Kafka first; the spool when Kafka does not answer in time, and while older events still wait there."""

    def __init__(self, publisher: Publisher, spool: Spool, drain: Drain) -> None:
        self._publisher = publisher
        self._spool = spool
        self._drain = drain
        self._loop = asyncio.get_running_loop()

    @property
    def largest(self) -> int:
        """Largest event in bytes that Kafka takes, as far as that is known."""
        limits = self._limits
        return UNLIMITED if limits is None else limits.raw_bytes - 4 * ROOM

    @property
    def _limits(self) -> Limits | None:
        return None if self._publisher.link is None else self._publisher.link.limits

    async def keep(self, delivery: Delivery, deadline: float) -> bool:
        """Return True once all of it is in all in-sync replicas or fsynced; False when that cannot be had in time.

        `deadline` is a time of the event loop.
        """
        ticket: Ticket | None = None
        limits = self._limits
        if self._kafka_has_time(deadline) and limits is not None and not may_not_fit(delivery, limits):
            # The publisher keeps its own budget: no timer a request.
            outcome = await self._publisher.submit(delivery)
            if isinstance(outcome, Stored):
                return True
            ticket = outcome.answer if isinstance(outcome, Late) else None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._keep(delivery, ticket, deadline)
        except TimeoutError:
            log.warning("neither Kafka nor the spool answered in time")
        except OSError as error:
            log.error("the spool cannot be used", error=error.strerror)  # noqa: TRY400 -- the disk's word is enough
        return False

    def _kafka_has_time(self, deadline: float) -> bool:
        """Tell whether a delivery may go to Kafka, and Kafka be waited for with time left for the spool."""
        return self._drain.passable and self._loop.time() + self._publisher.ack_timeout_s < deadline

    async def _keep(self, delivery: Delivery, ticket: Ticket | None, deadline: float) -> bool:
        limits = self._limits
        if limits is not None and may_not_fit(delivery, limits):
            delivery, rest = fit(delivery, limits)
            if len(rest):
                await self._spool.set_aside(entry.encode(rest))
        await self._drain.settled()
        if ticket is None and self._publisher.available and self._kafka_has_time(deadline):
            outcome = await self._publisher.submit(delivery)
            if isinstance(outcome, Stored):
                return True
            ticket = outcome.answer if isinstance(outcome, Late) else None
        if await self._spool.append(entry.encode(delivery), ticket):
            metrics.INGEST_SPOOL.labels("kept").inc()
            return True
        metrics.INGEST_SPOOL.labels("refused").inc()
        return await self._without_spool(delivery, ticket)

    async def _without_spool(self, delivery: Delivery, ticket: Ticket | None) -> bool:
        """Try Kafka once more: its order is worth less than the events."""
        if ticket is not None:
            return await asyncio.shield(ticket)
        return self._publisher.available and isinstance(await self._publisher.submit(delivery), Stored)

    def readiness(self) -> dict[str, object]:
        """Say whether events can be made durable now, and how."""
        spool = self._spool
        kafka = self._publisher.available
        spooling = not spool.full and not spool.fault
        metrics.INGEST_KAFKA_AVAILABLE.set(kafka)
        metrics.INGEST_SPOOL_BYTES.set(spool.size)
        metrics.INGEST_SPOOL_OLDEST.set((spool.oldest_ms or 0) / 1000)
        reason = "" if kafka or spooling else "Kafka is away or too slow, and the spool is full or cannot be written"
        return {
            "ready": not reason,
            "reason": reason,
            "via": "kafka" if kafka and not spool.pending else "spool" if spooling else "kafka" if kafka else "",
            "kafka": "available" if kafka else "slow" if self._publisher.link is not None else "away",
            "spool": {
                "bytes": spool.size,
                "max_bytes": spool.max_bytes,
                "oldest_seconds": 0 if spool.oldest_ms is None else (now_ms() - spool.oldest_ms) // 1000,
                "fault": spool.fault or ("full" if spool.full else ""),
            },
        }
