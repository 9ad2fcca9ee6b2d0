"""The Faust app: two steps, three tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from core.kafka import client_options
from core.settings import Settings
from core.tracing import Tracer
from processors.batched import BatchApp, BatchTable, Step
from processors.batched.table import Forget, Restore
from processors.connection import credentials
from processors.disk import open_state
from processors.receipts import Retention
from processors.steps import Engines, ReceiptsStep, TotalsStep
from processors.traced import traced
from schemas import topics
from schemas.alert_rules import load

TOTALS_EVERY_S = 1.0
"""A window's total is published at most this often."""
SESSION_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 30.0
FETCH_RECORDS = 4000


class Processor(NamedTuple):
    """The app and the state it drives."""

    app: BatchApp
    engines: Engines
    tables: tuple[BatchTable, ...]


def retention_of(settings: Settings) -> Retention:
    """Return the retention settings in ms."""

    def ms(duration: timedelta) -> int:
        return int(duration.total_seconds() * 1000)

    return Retention(ms(settings.window_retention), ms(settings.spool_max_age), ms(settings.state_retention))


def build(settings: Settings, tracer: Tracer | None = None) -> Processor:
    """Build the app; nothing connects yet. With a tracer, batches of raw records write spans."""
    folder = settings.state_dir / "processor"
    engines = Engines(
        settings.raw_partitions,
        retention_of(settings),
        lambda partition: open_state(settings.state_store, folder, partition),
        load(settings.rules_file).message_rules,
    )
    connection = client_options(settings)
    app = BatchApp(
        topics.APP_ID,
        broker=[f"kafka://{address.strip()}" for address in connection["bootstrap_servers"].split(",")],
        broker_client_id=connection["client_id"],
        broker_credentials=credentials(connection),
        rack=settings.kafka_client_rack,
        idempotence=settings.kafka_idempotence,
        datadir=folder,
        store="memory://",
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=settings.raw_partitions,
        topic_replication_factor=settings.replication_factor,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=settings.processor_standbys,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id or None,
        broker_max_poll_records=FETCH_RECORDS,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_rebalance_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=SESSION_TIMEOUT_S / 4,
        broker_request_timeout=REQUEST_TIMEOUT_S,
        producer_request_timeout=REQUEST_TIMEOUT_S,
        broker_commit_interval=1.0,
        producer_linger=0.0,
        producer_max_batch_size=1 << 20,
        producer_max_request_size=topics.largest_batch(settings),
        producer_compression_type=None if settings.processor_compression == "none" else settings.processor_compression,
    )

    def table(name: str, restore: Restore, forget: Forget, **disk: Any) -> BatchTable:
        return app.batch_table(
            BatchTable(app, name=name, restore=restore, forget=forget, partitions=settings.raw_partitions, **disk)
        )

    tables = (
        table(
            topics.MESSAGES_TABLE,
            engines.restore_facts,
            engines.forget_receipts,
            on_disk=engines.facts_on_disk,
            moved=engines.facts_position,
        ),
        table(topics.PARTIALS_TABLE, engines.restore_windows, engines.forget_receipts),
        table(topics.TOTALS_TABLE, engines.restore_totals, engines.forget_totals),
    )
    every = settings.processor_checkpoint.total_seconds()

    def receipts(partition: int) -> Step:
        return traced(ReceiptsStep(engines.receipts_of(partition)), tracer, topics.RAW, partition)

    app.step(topics.RAW, receipts, every=every)
    app.step(topics.PARTIALS, lambda partition: TotalsStep(engines.totals_of(partition)), every=TOTALS_EVERY_S)
    return Processor(app, engines, tables)
