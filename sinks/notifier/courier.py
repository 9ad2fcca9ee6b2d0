"""One destination's courier: reads `im.alerts` in a group of its own, delivers, and commits what was delivered.

Kafka is the queue. A crash between delivery and commit tells the same ids again; nothing is lost, and no courier waits
for another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from core import failpoints, logs, metrics
from core.clock import now_ms
from schemas import topics
from schemas.alert_rules import RulesFile
from schemas.records import Alert
from sinks.notifier.config import Destination, Limits
from sinks.notifier.content import Item, Notification, compose
from sinks.notifier.names import Names
from sinks.notifier.patience import REFUSALS, REFUSALS_OF_DIGEST, Health, Rate, pause_after
from sinks.notifier.sending import GoneError, RefusedError, Sender, TryAgainError

log = logs.get(__name__)

POLL_S: Final = 0.25
AT_ONCE: Final = 500
"""Records read at once while none is wanted."""
SETTLE_AGAIN_S: Final = 1.0
FINISH_S: Final = 2.5
"""How long a stop waits for a delivery under way."""
REMEMBERED: Final = 100_000
"""Ids delivered by this process that are not delivered again."""
HEADER_DETAIL: Final = "detail"
"""On a record of im.alerts: what was measured, in words."""
_decode: Final = msgspec.json.Decoder(Alert).decode


class Waiting(NamedTuple):
    """An alert that is to be delivered, and the record it came in."""

    item: Item
    record: Any


class Parking(Protocol):
    """Where alerts go that a destination cannot be told."""

    async def park(self, record: Any, reason: str, detail: str) -> None:
        """Make the record a dead letter; returns when all in-sync replicas have it."""


def wants(limits: Limits, alert: Alert) -> bool:
    """Tell whether a destination is to hear of an alert."""
    return (
        alert.state in limits.states
        and (not limits.rules or alert.rule in limits.rules)
        and (not limits.orgs or alert.org_id in limits.orgs)
    )


class Courier(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Delivers to one destination, in the order of each partition."""

    def __init__(
        self,
        destination: Destination,
        sender: Sender,
        consumer: AIOKafkaConsumer,
        parking: Parking,
        words: tuple[RulesFile, Names],
    ) -> None:
        self.name, self._limits = destination.name, destination.limits
        self._sender, self._consumer, self._parking = sender, consumer, parking
        self._rules, self._names = words
        self._rate = Rate(self._limits.per_minute)
        self._health = Health(self._limits.give_up_after, self._limits.probe_every)
        self._delivered: dict[str, None] = {}
        self._read: dict[TopicPartition, int] = {}
        """Where to go on after what is being delivered."""
        self._stop = asyncio.Event()
        self._unsettled: list[TopicPartition] | None = None
        """Partitions of which is not known yet where to begin."""
        self.assigned = False
        metrics.NOTIFIER_DISABLED.labels(self.name).set(0)

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; a delivery under way may end. Raises what Kafka's client raises."""
        self._stop = stop
        self._consumer.subscribe([topics.ALERTS], listener=self)
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((work,), timeout=FINISH_S)
        for task in (work, stopping):
            task.cancel()
        await asyncio.wait((work, stopping))
        if not work.cancelled():
            work.result()

    async def _work(self) -> None:
        while not self._stop.is_set():
            waiting = await self._gather()
            if not waiting or await self._deliver(waiting):
                await self._commit()

    async def _gather(self) -> list[Waiting]:
        """Read until enough is wanted, or the first wanted record has waited long enough for company."""
        loop = asyncio.get_running_loop()
        found: list[Waiting] = []
        deadline = float("inf")
        while not self._stop.is_set():
            if not self.assigned:
                await self._settle()
                continue
            room = self._limits.digest_max - len(found) if found else min(AT_ONCE, self._limits.digest_max)
            wait_s = max(0.0, min(POLL_S, deadline - loop.time()))
            fetched = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=room)
            for tp, records in fetched.items():
                found.extend(self._wanted(records))
                self._read[tp] = records[-1].offset + 1
            self._measure()
            if found and deadline == float("inf"):
                deadline = loop.time() + self._limits.digest_within
            if (self._read and not found) or len(found) >= self._limits.digest_max or loop.time() >= deadline:
                break
        return found

    def _wanted(self, records: Sequence[Any]) -> list[Waiting]:
        found = []
        for record in records:
            try:
                alert = _decode(record.value or b"")
            except msgspec.DecodeError as error:
                # The sink makes a dead letter of it.
                log.warning("alert_unreadable", partition=record.partition, offset=record.offset, error=str(error))
                continue
            if not wants(self._limits, alert):
                continue
            detail = dict(record.headers or ()).get(HEADER_DETAIL, b"").decode(errors="replace")
            item = Item(alert, detail)
            if item.id in self._delivered:
                metrics.NOTIFIER_ALERTS.labels(self.name, "repeated").inc()
                continue
            found.append(Waiting(item, record))
        return found

    async def _commit(self) -> None:
        if not self._read:
            return
        read, self._read = self._read, {}
        held = self._consumer.assignment()
        offsets = {tp: offset for tp, offset in read.items() if tp in held}
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            # The partition has moved: its new owner may tell the same ids again.
            log.warning("commit_refused", destination=self.name, error=repr(error))

    def _measure(self) -> None:
        lag = 0
        for tp in self._consumer.assignment():
            end = self._consumer.highwater(tp)
            state = self._consumer._subscription.subscription.assignment.state_value(tp)  # noqa: SLF001 -- no await here
            if end is not None and state is not None and state.has_valid_position:
                lag += max(0, end - state.position)
        metrics.NOTIFIER_LAG.labels(self.name).set(lag)

    # --- delivery ---------------------------------------------------------------------------------------------------

    async def _deliver(self, waiting: Sequence[Waiting]) -> bool:
        """Deliver or park; False when a stop came first, and nothing is to be committed."""
        await self._names.look_up({(each.item.alert.org_id, each.item.alert.channel_id) for each in waiting})
        items = list({each.item.id: each.item for each in waiting}.values())
        notification = compose(items, self._rules, self._names.name_of, now_ms())
        refusals = 0
        while self._health.may_try(asyncio.get_running_loop().time()):
            if not await self._allowed():
                return False
            failed = await self._try(notification)
            if failed is None:
                self._remember(items)
                failpoints.hit("notifier.delivered")
                return True
            refusals += isinstance(failed, RefusedError)
            if refusals >= (REFUSALS if len(waiting) == 1 else REFUSALS_OF_DIGEST):
                return await self._refused(waiting, failed)
            if self._health.disabled:
                break
            asked = failed.after if isinstance(failed, TryAgainError) else 0.0
            # A refusal is no failure of the destination, and the next try comes soon.
            failures = refusals if isinstance(failed, RefusedError) else self._health.failures
            if await self._pause(pause_after(failures, asked=asked, jitter=random.random())):  # noqa: S311 -- jitter
                return False
        await self._park(waiting, "destination_disabled", "the destination has failed for too long")
        return True

    async def _allowed(self) -> bool:
        """Wait for the rate limit; False when a stop came first."""
        while (wait := self._rate.wait(asyncio.get_running_loop().time())) > 0:
            if await self._pause(wait):
                return False
        self._rate.take()
        return not self._stop.is_set()

    async def _try(self, notification: Notification) -> Exception | None:
        """Send once; returns why it failed, None when it was delivered."""
        now = asyncio.get_running_loop().time
        try:
            await self._sender.send(notification)
        except RefusedError as error:
            result, failed = "refused", error
        except GoneError as error:
            self._health.failed(now(), gone=True)
            result, failed = "gone", error  # type: ignore[assignment]  # any of them is returned
        except Exception as error:  # noqa: BLE001 -- whatever a destination does, no other may suffer
            self._health.failed(now())
            result, failed = "again", error  # type: ignore[assignment]
        else:
            self._health.succeeded()
            result, failed = "delivered", None  # type: ignore[assignment]
        metrics.NOTIFIER_TRIES.labels(self.name, result).inc()
        metrics.NOTIFIER_DISABLED.labels(self.name).set(self._health.disabled)
        if failed is not None:
            log.warning(
                "not_delivered",
                destination=self.name,
                id=notification.id,
                result=result,
                error=str(failed) or type(failed).__name__,
                failures=self._health.failures,
                disabled=self._health.disabled,
            )
        return failed

    async def _refused(self, waiting: Sequence[Waiting], failed: Exception) -> bool:
        """Park what is refused; of a digest first find out which part of it that is."""
        if len(waiting) == 1:
            await self._park(waiting, "refused", str(failed))
            return True
        half = len(waiting) // 2
        return await self._deliver(waiting[:half]) and await self._deliver(waiting[half:])

    async def _park(self, waiting: Sequence[Waiting], reason: str, detail: str) -> None:
        for each in waiting:
            await self._parking.park(each.record, reason, f"{self.name}: {detail}")
        metrics.NOTIFIER_ALERTS.labels(self.name, "parked").inc(len(waiting))
        log.error("alerts_parked", destination=self.name, number=len(waiting), reason=reason, detail=detail)

    def _remember(self, items: Sequence[Item]) -> None:
        metrics.NOTIFIER_ALERTS.labels(self.name, "delivered").inc(len(items))
        for item in items:
            self._delivered[item.id] = None
        while len(self._delivered) > REMEMBERED:
            del self._delivered[next(iter(self._delivered))]

    async def _pause(self, seconds: float) -> bool:
        """Wait, but no longer than until a stop; tell whether one came."""
        if seconds > 0 and not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return False
        return self._stop.is_set()

    # --- rebalance --------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing to finish: what is not committed is told again by the next owner."""
        self.assigned, self._unsettled = False, None
        for tp in revoked:
            self._read.pop(tp, None)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Leave it to the loop to find out where to begin: what fails there is tried again."""
        self._unsettled = list(assigned)

    async def _settle(self) -> None:
        """Begin at the commits; a destination that is new begins now, and holds that place at once."""
        taken = self._unsettled
        if taken is None:
            await asyncio.sleep(POLL_S / 10)
            return
        try:
            fresh = [tp for tp in taken if await self._consumer.committed(tp) is None]
            if fresh:
                ends = await self._consumer.end_offsets(fresh)
                for tp, offset in ends.items():
                    self._consumer.seek(tp, offset)
                await self._consumer.commit(ends)
        except (KafkaError, IllegalStateError) as error:
            log.warning("place_unknown", destination=self.name, error=repr(error))
            await asyncio.sleep(SETTLE_AGAIN_S)
            return
        if self._unsettled is taken:
            self._unsettled, self.assigned = None, True
            log.info("assigned", destination=self.name, partitions=len(taken), new=len(fresh))
