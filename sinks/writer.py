"""Writes batches to ClickHouse: the same batch again until it is acknowledged, and refused rows to the dead letters."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from core import logs, metrics
from core.clickhouse import ClickHouse
from core.errors import WarehouseRefusedError, WarehouseUnavailableError
from schemas import topics
from sinks.batch import Batch, Load
from sinks.rows import TARGETS, Unusable

log = logs.get(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
ABOUT_NO_ROW = frozenset({60, 81, 192, 193, 201, 290, 394, 497, 516})
"""Codes of refusals that concern no row, though the table can be read: no such table (a materialized view may feed one)
or database, unknown user, wrong password, quota used up, limit on connections, query killed, no right to insert, not
authenticated. Rows wait until somebody has seen to it."""


class Parking(Protocol):
    """Where records go that cannot be stored."""

    async def park(self, record: Any, topic: str, partition: int, unusable: Unusable) -> None:
        """Make the record a dead letter; returns when all in-sync replicas have it."""


class Writer:
    """Stores batches. `write` returns only when every row is acknowledged or parked."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        parking: Parking,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clickhouse = clickhouse
        self._parking = parking
        self._sleep = sleep
        self.trouble = ""
        """Why ClickHouse does not take rows now; '' when it does."""

    async def write(self, load: Load) -> None:
        """Insert a load's rows and park what cannot be a row."""
        for batch in load.batches:
            for record, unusable in batch.unusable:
                await self._park(batch, record, unusable)
        if load.rows:
            await self._insert(load)
            metrics.SINK_ROWS.labels(TARGETS[load.topic].table).inc(load.rows)

    async def _insert(self, load: Load) -> None:
        refused = await self._until_answered(load)
        if refused is None:
            return
        if load.rows == 1:
            (batch,) = (batch for batch in load.batches if batch.lines)
            await self._park(batch, batch.records[0], Unusable("refused", str(refused)))
            return
        for half in load.halves():
            await self._insert(half)

    async def _until_answered(self, load: Load) -> WarehouseRefusedError | None:
        """Insert the same bytes with the same token until ClickHouse acknowledges (None) or refuses these rows."""
        table = TARGETS[load.topic].table
        body, token = load.body(), load.token()
        pause = FIRST_PAUSE_S
        while True:
            try:
                with metrics.SINK_INSERT_SECONDS.labels(table).time():
                    await self._clickhouse.insert(table, body, token=token)
            except WarehouseRefusedError as error:
                if error.code not in ABOUT_NO_ROW and await self._takes_rows(table):
                    return error
                self._note(str(error))
            except WarehouseUnavailableError as error:
                self._note(str(error))
            else:
                self._note("")
                return None
            metrics.SINK_RETRIES.labels(table).inc()
            await self._sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _takes_rows(self, table: str) -> bool:
        """Tell whether the table itself is well, so that a refusal concerns the rows."""
        try:
            await self._clickhouse.rows(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 -- our own table's name
        except (WarehouseRefusedError, WarehouseUnavailableError):
            return False
        return True

    def _note(self, trouble: str) -> None:
        if bool(trouble) != bool(self.trouble):
            if trouble:
                log.error("warehouse_away", error=trouble)
            else:
                log.info("warehouse_back")
        self.trouble = trouble

    async def _park(self, batch: Batch, record: Any, unusable: Unusable) -> None:
        metrics.SINK_PARKED.labels(TARGETS[batch.topic].table).inc()
        place = {"topic": batch.topic, "partition": batch.partition, "offset": record.offset}
        if batch.topic == topics.DEAD:
            # Parking it again would go round for ever. It stays in Kafka, where `receipts dead` finds nothing of it.
            log.error("dead_letter_refused", reason=unusable.reason, detail=unusable.detail, **place)
            return
        log.warning("row_parked", reason=unusable.reason, **place)
        await self._parking.park(record, batch.topic, batch.partition, unusable)
