"""What stands in ClickHouse, as rows that can be compared with the answer key's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import orjson
from clickhouse_connect.driver.exceptions import Error

from core.errors import WarehouseUnavailableError
from core.settings import Settings
from sandbox.answer_key.rows import Row, Tables

_SETTINGS = {"date_time_output_format": "iso", "output_format_json_quote_64bit_integers": 0}
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
        *("delivered_implied", "direction"),
    ),
    "channel_windows": (
        *("org_id", "channel_id", "window_start", "sent", "delivered", "read", "other", "duplicates", "late"),
        *("out_of_order", "contradictions", "negative_latencies", "sent_to_delivered_p50_ms"),
        *("sent_to_delivered_p95_ms", "delivered_to_read_p50_ms", "delivered_to_read_p95_ms"),
    ),
    "channel_rates": (
        *("org_id", "channel_id", "channel_type", "hour", "sent", "delivered", "read", "delivery_ratio"),
        *("read_ratio", "read_of_delivered"),
    ),
}


class Warehouse:
    """Queries on the views, as any reader of ClickHouse would make them."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Connect. Raises WarehouseUnavailableError."""
        parts = urlsplit(settings.clickhouse_url)
        try:
            client = await asyncio.to_thread(
                clickhouse_connect.get_client,
                host=parts.hostname,
                port=parts.port or 8123,
                username=settings.clickhouse_user,
                password=settings.clickhouse_password.get_secret_value(),
                database=settings.clickhouse_database,
            )
        except Error as error:
            raise _unavailable(error) from error
        return cls(client)

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a query. Raises WarehouseUnavailableError."""
        try:
            text = await asyncio.to_thread(
                self._client.raw_query, sql, parameters=dict(parameters or {}), fmt="JSONEachRow", settings=_SETTINGS
            )
        except Error as error:
            raise _unavailable(error) from error
        return [orjson.loads(line) for line in text.splitlines()]

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

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._client.close)


def _normal(row: Row) -> Row:
    """Give a time without milliseconds its zeros: a DateTime column is a DateTime64 to a reader."""
    return {
        name: f"{value[:-1]}.000Z" if isinstance(value, str) and _is_short_time(name, value) else value
        for name, value in row.items()
    }


def _is_short_time(name: str, value: str) -> bool:
    return (name.endswith("_time") or name in ("hour", "window_start")) and len(value) == _SECONDS


def _unavailable(error: Error) -> WarehouseUnavailableError:
    return WarehouseUnavailableError(f"ClickHouse did not answer: {str(error).splitlines()[0]}")
