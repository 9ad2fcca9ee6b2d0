"""Inserts with traces: a span for each batch that holds records of a sampled request."""

from __future__ import annotations

from core.clickhouse import ClickHouse
from core.tracing import Tracer
from sinks.batch import Batch
from sinks.rows import TARGETS
from sinks.writer import Parking, Writer


class TracedWriter(Writer):
    """A writer that writes a span of each insert, linked to the requests that its rows came by."""

    def __init__(self, clickhouse: ClickHouse, parking: Parking, tracer: Tracer) -> None:
        super().__init__(clickhouse, parking)
        self._tracer = tracer

    async def write(self, batch: Batch) -> None:
        """Insert a batch's rows within a span."""
        table = TARGETS[batch.topic].table
        with self._tracer.batch(
            f"insert {table}",
            batch.records,
            {
                "messaging.destination.name": batch.topic,
                "messaging.destination.partition.id": str(batch.partition),
                "messaging.batch.message_count": len(batch.lines),
            },
        ):
            await super().write(batch)
