"""What stands in ClickHouse, as rows that can be compared with the answer key's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.clickhouse import ClickHouse, connect
from core.settings import Settings
from sandbox.answer_key.rows import Row, Tables

_SECONDS = len("2025-10-09T07:27:00Z")

COLUMNS: dict[str, tuple[str, ...]] = {
    "raw_events": ("raw_partition", "raw_offset", "received_time", "body"),
    "transitions": (
        *("org_id", "channel_id", "session_id", "message_id", "old_status", "new_status", "updated_time"),
        *("event_time", "received_time", "time_source", "implied", "out_of_order", "contradiction"),
        *("sent_to_delivered_ms", "delivered_to_read_ms", "raw_partition", "raw_offset"),
    ),
    "message_state": (
        *("org_id", "message_id", "channel_id", "session_id", "status", "sent_time", "delivered_time", "read_time"),
        *("delivered_implied", "channel_type", "direction"),
    ),
    "channel_windows": (
        *("org_id", "channel_id", "window_start", "sent", "delivered", "read", "other", "duplicates", "late"),
        *("out_of_order", "contradictions", "negative_latencies", "sent_to_delivered_p50_ms"),
        *("sent_to_delivered_p95_ms", "delivered_to_read_p50_ms", "delivered_to_read_p95_ms"),
    ),
    "alerts": (
        *("rule", "state", "followup", "org_id", "channel_id", "session_id", "message_id"),
        *("due_time", "opened_time", "resolved_time"),
    ),
    "channel_rates": (
        *("org_id", "channel_id", "channel_type", "hour", "sent", "delivered", "read", "delivery_ratio"),
        *("read_ratio", "read_of_delivered"),
    ),
}


class Warehouse:
    """Queries on the views, as any reader of ClickHouse would make them."""

    def __init__(self, client: ClickHouse) -> None:
        self._client = client

    async def rows(self, sql: str) -> list[Row]:
        """Return the rows of a query. Raises WarehouseUnavailableError or WarehouseRefusedError."""
        return await self._client.rows(f"{sql}\nSETTINGS output_format_json_quote_64bit_integers = 0")

    async def number(self, sql: str) -> int:
        """Return the one number that a query asks for."""
        (row,) = await self.rows(sql)
        (value,) = row.values()
        return int(value or 0)

    async def tables(self) -> Tables:
        """Return every table that the answer key knows."""
        return {
            table: [_normal(row) for row in await self.rows(f"SELECT {', '.join(columns)} FROM {table}")]  # noqa: S608
            for table, columns in COLUMNS.items()
        }


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Warehouse]:
    """Open the warehouse of these settings for reading."""
    async with connect(settings) as client:
        yield Warehouse(client)


def _normal(row: Row) -> Row:
    """Give a time without milliseconds its zeros: a DateTime column is a DateTime64 to a reader."""
    return {
        name: f"{value[:-1]}.000Z" if isinstance(value, str) and _is_short_time(name, value) else value
        for name, value in row.items()
    }


def _is_short_time(name: str, value: str) -> bool:
    return (name.endswith("_time") or name in ("hour", "window_start")) and len(value) == _SECONDS
