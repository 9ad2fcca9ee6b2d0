"""The notifier role: a courier for each destination, and the rules on channels."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from core import failpoints, logs, ops
from core.clickhouse import ClickHouse, connect
from core.clock import iso, now_ms
from core.errors import ConfigError
from core.kafka import client_options, consumer_options, create_topics, unavailable
from core.kafka_groups import use_fenced_commits
from core.settings import Settings
from schemas import topics
from schemas.alert_rules import RulesFile
from schemas.alert_rules import load as load_rules
from sinks.doctor_groups import watch
from sinks.notifier import config, guard
from sinks.notifier.config import Chat, Destination, Email, Webhook
from sinks.notifier.courier import FINISH_S, Courier
from sinks.notifier.evaluator import GROUP as RULES_GROUP
from sinks.notifier.evaluator import Evaluator, Leader
from sinks.notifier.http import ChatSender, WebhookSender
from sinks.notifier.mail import MailSender
from sinks.notifier.names import Names
from sinks.notifier.sending import Sender
from sinks.notifier.zoho import ZohoSender

log = logs.get(__name__)

GROUP = "receipts-notifier-"
"""Begins the consumer group of each destination."""
SESSION_TIMEOUT_MS = 10_000
LONGEST_DELIVERY_MS = 14 * 86_400_000
"""A courier may be busy with one delivery for longer than any destination is tried."""
PARK_AGAIN_S = 1.0


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Without destinations and channel rules it idles.

    Raises ConfigError for destinations or rules that are wrong, BrokerUnavailableError when Kafka is away at the start.
    """
    failpoints.arm(settings.failpoint)
    use_fenced_commits()
    destinations, rules = config.load(settings), load_rules(settings.rules_file)
    uvloop.run(_run(settings, destinations, rules))


class KafkaParking:
    """Parks alerts in `im.events.dead`, until that succeeds."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def park(self, record: Any, reason: str, detail: str) -> None:
        """Write the record's own bytes with why, and from where."""
        place = (record.topic, str(record.partition), str(record.offset))
        values = ("notifier", reason, detail, *place, iso(now_ms()))
        headers = [(name, value.encode()) for name, value in zip(topics.DEAD_HEADERS, values, strict=True)]
        while True:
            try:
                await self._producer.send_and_wait(
                    topics.DEAD, record.value or b"", key=record.key, partition=record.partition, headers=headers
                )
            except KafkaError as error:
                log.warning("not_parked", error=repr(error))
                await asyncio.sleep(PARK_AGAIN_S)
            else:
                return


def sender(destination: Destination, session: aiohttp.ClientSession, *, private: bool) -> Sender:
    """Return what sends to a destination. `session` must be one of `guard.session`."""
    target, timeout_s = destination.target, destination.limits.timeout
    if isinstance(target, Webhook):
        return WebhookSender(session, target, timeout_s)
    if isinstance(target, Chat):
        return ChatSender(session, target, timeout_s)
    if isinstance(target, Email):
        return MailSender(target, timeout_s, private=private)
    return ZohoSender(session, target, timeout_s)


async def _run(settings: Settings, destinations: tuple[Destination, ...], rules: RulesFile) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        couriers: list[Courier] = []
        work: list[Coroutine[Any, Any, None]] = []
        if destinations or rules.channel_rules:
            parts = await _parts(settings, [each.name for each in destinations], stack, rules=bool(rules.channel_rules))
            couriers = await _couriers(settings, destinations, rules, parts, stack)
            work = [courier.run(stop) for courier in couriers]
            if parts.clickhouse is not None and parts.leadership is not None:
                partitions = settings.raw_partitions
                progress = partial(watch, settings)
                evaluator = Evaluator(rules, parts.clickhouse, parts.producer, partitions, progress)
                work.append(evaluator.run(Leader(parts.leadership), stop))

        def why_not_ready() -> str:
            joining = [courier.name for courier in couriers if not courier.assigned]
            return f"joining the consumer groups of {', '.join(joining)}" if joining else ""

        port = await stack.enter_async_context(ops.serving(settings.metrics_host, settings.metrics_port, why_not_ready))
        names = [destination.name for destination in destinations]
        log.info("notifier_started", metrics_port=port, destinations=names, channel_rules=len(rules.channel_rules))
        await _all_of(work, stop)


async def _all_of(work: list[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run all until `stop`; the first that fails ends the others, and is raised."""
    tasks = [asyncio.ensure_future(each) for each in (*work, stop.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    _, late = await asyncio.wait(tasks, timeout=FINISH_S + 0.5)
    for task in late:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


class _Parts(NamedTuple):
    """What is connected."""

    producer: AIOKafkaProducer
    consumers: list[AIOKafkaConsumer]
    """One a destination."""
    leadership: AIOKafkaConsumer | None
    """Of the channel rules; None where there are none."""
    clickhouse: ClickHouse | None


async def _parts(settings: Settings, names: list[str], stack: contextlib.AsyncExitStack, *, rules: bool) -> _Parts:
    await create_topics(
        settings, topics.specs(settings), partitions=settings.raw_partitions, replication=settings.replication_factor
    )
    clickhouse: ClickHouse | None = None
    if settings.clickhouse_url:
        clickhouse = await stack.enter_async_context(connect(settings))
    elif rules:
        raise ConfigError(
            "CLICKHOUSE_URL is not set, and RULES_FILE has channel rules", fix="Set it, or drop the rules"
        )
    producer = AIOKafkaProducer(
        **client_options(settings),
        enable_idempotence=settings.kafka_idempotence,
        max_request_size=topics.largest_batch(settings),
    )
    consumers = [_consumer(settings, f"{GROUP}{name}") for name in names]
    leadership = _consumer(settings, RULES_GROUP) if rules else None
    clients = [producer, *consumers, *([leadership] if leadership is not None else [])]
    stack.push_async_callback(_stop_all, clients)
    try:
        await asyncio.gather(*(client.start() for client in clients))
    except KafkaError as error:
        raise await unavailable(settings, error) from error
    return _Parts(producer, consumers, leadership, clickhouse)


async def _couriers(
    settings: Settings,
    destinations: tuple[Destination, ...],
    rules: RulesFile,
    parts: _Parts,
    stack: contextlib.AsyncExitStack,
) -> list[Courier]:
    private = settings.notify_allow_private
    session = await stack.enter_async_context(guard.session(private=private))
    names, parking = Names(parts.clickhouse), KafkaParking(parts.producer)
    return [
        Courier(destination, sender(destination, session, private=private), consumer, parking, (rules, names))
        for destination, consumer in zip(destinations, parts.consumers, strict=True)
    ]


async def _stop_all(clients: list[Any]) -> None:
    await asyncio.gather(*(client.stop() for client in clients), return_exceptions=True)


def _consumer(settings: Settings, group: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **consumer_options(settings),
        group_id=group,
        group_instance_id=settings.instance_id or None,
        enable_auto_commit=False,
        # A place that retention has passed: what is left is told.
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=250,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
        max_poll_interval_ms=LONGEST_DELIVERY_MS,
    )
