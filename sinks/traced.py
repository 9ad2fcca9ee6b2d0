"""Inserts with traces: a span for each one that holds records of a sampled request."""

from __future__ import annotations

from core.clickhouse import ClickHouse
from core.tracing import Tracer
from sinks.batch import Load
from sinks.rows import TARGETS
from sinks.writer import Parking, Writer


class TracedWriter(Writer):
    """A writer that writes a span of each insert, linked to the requests that its rows came by."""

    def __init__(self, clickhouse: ClickHouse, parking: Parking, tracer: Tracer) -> None:
        super().__init__(clickhouse, parking)
        self._tracer = tracer

    async def write(self, load: Load) -> None:
        """Insert a load's rows within a span."""
        table = TARGETS[load.topic].table
        with self._tracer.batch(
            f"insert {table}",
            [record for batch in load.batches for record in batch.records],
            {"messaging.destination.name": load.topic, "messaging.batch.message_count": load.rows},
        ):
            await super().write(load)
