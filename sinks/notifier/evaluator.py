"""Asks the channel rules from time to time, and publishes what follows to `im.alerts`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from core import logs, metrics
from core.clickhouse import ClickHouse
from core.clock import now_ms
from core.errors import WarehouseRefusedError, WarehouseUnavailableError
from core.kafka import partition_of
from schemas import topics
from schemas.alert_rules import RulesFile
from sinks.facts import Group
from sinks.notifier.channel_rules import News, Watch
from sinks.notifier.courier import HEADER_DETAIL
from sinks.notifier.measures import channels, measure, open_alerts

log = logs.get(__name__)

GROUP: Final = "receipts-channel-rules"
FIRST_ROUND_S: Final = 15.0
"""After a start the sinks get so long to store what an earlier process has published."""
BEHIND: Final = 50_000
"""Records not processed or stored yet from which the warehouse tells too little of now."""
_encode: Final = msgspec.json.Encoder().encode
Progress = Callable[[], Awaitable[tuple[Group, ...]]]


class Leader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Whether this notifier is the one that asks the rules: it holds the first partition."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.leads = False
        consumer.subscribe([topics.ALERTS], listener=self)

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002 -- the library passes it
        """Stop leading."""
        self.leads = False

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Lead, or not. The records themselves are not wanted."""
        self._consumer.pause(*assigned)
        self.leads = any(tp.partition == 0 for tp in assigned)


class Evaluator:
    """Asks every channel rule, again and again."""

    def __init__(
        self, rules: RulesFile, clickhouse: ClickHouse, producer: AIOKafkaProducer, partitions: int, progress: Progress
    ) -> None:
        self._rules, self._clickhouse, self._producer = rules, clickhouse, producer
        self._partitions, self._progress = partitions, progress
        self._watch = Watch()

    async def run(self, leader: Leader, stop: asyncio.Event) -> None:
        """Work until `stop` is set. A round that fails is logged, counted, and made up for by the next one."""
        every = self._rules.channel_rules_every_ms / 1000
        pause = min(every, FIRST_ROUND_S)
        while not await _stopped(stop, pause):
            pause = every
            if not leader.leads:
                continue
            try:
                await self.round(now_ms())
            except (WarehouseUnavailableError, WarehouseRefusedError, KafkaError, OSError, ValueError) as error:
                metrics.NOTIFIER_CHANNEL_RULES.labels("failed").inc()
                log.warning("channel_rules_not_asked", error=str(error) or repr(error))
            else:
                metrics.NOTIFIER_CHANNEL_RULES.labels("done").inc()

    async def round(self, now: int) -> None:
        """Ask every rule once, and publish."""
        for group in await self._progress():
            if group.lag and (group.lag > BEHIND or not group.moving):
                raise ValueError(f"{group.name}s are {group.lag} records behind: what is stored tells little of now")
        known = await channels(self._clickhouse)
        standing = self._watch.saw(await open_alerts(self._clickhouse))
        names = {rule.name for rule in self._rules.channel_rules}
        await self._publish(self._watch.unruled(names, standing, now))
        for rule in self._rules.channel_rules:
            found = await measure(self._clickhouse, rule, now)
            await self._publish(self._watch.news(rule, known, found, standing, now))

    async def _publish(self, news: list[News]) -> None:
        """Return when all in-sync replicas have it."""
        for alert, detail in news:
            key = alert.alert_id.encode()
            await self._producer.send_and_wait(
                topics.ALERTS,
                _encode(alert),
                key=key,
                partition=partition_of(key, self._partitions),
                headers=[(HEADER_DETAIL, detail.encode())],
            )
            log.info("channel_alert", id=alert.alert_id, state=alert.state, detail=detail)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
