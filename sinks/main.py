"""The sink role: runs one worker until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from core import failpoints, logs, metrics, ops
from core.clickhouse import connect
from core.kafka import client_options, consumer_options, create_topics, unavailable
from core.kafka_groups import use_fenced_commits
from core.kafka_records import as_it_is, use_plain_records
from core.settings import Settings
from core.tracing import tracing
from schemas import topics
from sinks.ledger.periodic import audit_forever
from sinks.parking import KafkaParking
from sinks.traced import TracedWriter
from sinks.worker import GROUP, Worker
from sinks.writer import Writer

log = logs.get(__name__)

SESSION_TIMEOUT_MS = 10_000
FETCH_BYTES = 512 * 1024
FETCH_WAIT_MS = 100
"""A fetch waits for so many bytes, but no longer: rows wait for their insert anyhow, and each fetch has its cost."""
AUDIT_TIMEOUT_S = 600.0
METRICS_EVERY_S = 1.0
_FIRST = TopicPartition(topics.RAW, 0)
"""Whoever has it audits for all sinks."""


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then insert and commit what has been read.

    Raises BrokerUnavailableError when Kafka is away at the start. ClickHouse may be away: Kafka is the buffer.
    """
    failpoints.arm(settings.failpoint)
    use_fenced_commits()
    use_plain_records()
    gc.set_threshold(200_000, 50, 1000)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    await create_topics(
        settings, topics.specs(settings), partitions=settings.raw_partitions, replication=settings.replication_factor
    )
    consumer = AIOKafkaConsumer(
        **consumer_options(settings),
        group_id=GROUP,
        group_instance_id=settings.instance_id or None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        key_deserializer=as_it_is,
        fetch_min_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=4 << 20,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=SESSION_TIMEOUT_MS // 4,
    )
    producer = AIOKafkaProducer(
        **client_options(settings),
        enable_idempotence=settings.kafka_idempotence,
        max_request_size=topics.largest_batch(settings),
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(tracing(settings, "sink"))
        clickhouse = await stack.enter_async_context(connect(settings))
        for client in (producer, consumer):
            stack.push_async_callback(client.stop)
            try:
                await client.start()
            except KafkaError as error:
                raise await unavailable(settings, error) from error
        parking = KafkaParking(producer)
        writer = Writer(clickhouse, parking) if tracer is None else TracedWriter(clickhouse, parking, tracer)
        worker = Worker(consumer, writer, settings)
        port = await stack.enter_async_context(
            ops.serving(settings.metrics_host, settings.metrics_port, worker.why_not_ready)
        )
        log.info("sink_started", metrics_port=port)
        reporting = asyncio.create_task(_report(worker))
        stack.callback(reporting.cancel)
        auditor = await stack.enter_async_context(connect(settings, timeout_s=AUDIT_TIMEOUT_S))
        auditing = asyncio.create_task(audit_forever(settings, auditor, lambda: _FIRST in consumer.assignment()))
        stack.callback(auditing.cancel)
        await worker.run(stop)


async def _report(worker: Worker) -> None:
    while True:
        for topic, lag in worker.lag().items():
            metrics.SINK_LAG.labels(topic).set(lag)
        await asyncio.sleep(METRICS_EVERY_S)
