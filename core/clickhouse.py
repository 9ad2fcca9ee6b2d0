"""ClickHouse: a thin typed client. The library's errors are translated here, once."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from core.errors import WarehouseRefusedError, WarehouseUnavailableError
from core.settings import Settings
from core.tls import tls_context

_OVERLOADED = frozenset(
    {3, 74, 76, 159, 164, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 279, 319, 425, 439, 999}
)
"""Codes of ClickHouse that pass: timeouts, sockets, files, too many queries or parts, memory, disk, Keeper."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b"})

_ROWS = {
    "default_format": "JSONEachRow",
    "date_time_output_format": "iso",
    # A failure after the first rows must not look like a row.
    "http_write_exception_in_output_format": "0",
}
_INSERT = {
    # A row is acknowledged when it is stored, not when it is queued.
    "async_insert": "0",
    # On a cluster: not before the shards have it.
    "distributed_foreground_insert": "1",
    "date_time_input_format": "best_effort",
    # A newer processor may tell more than the tables keep.
    "input_format_skip_unknown_fields": "1",
    "input_format_null_as_default": "1",
    # Replays may span any number of a table's partitions.
    "max_partitions_per_insert_block": "0",
    # A retry must reach the views that the first try may have failed to feed.
    "deduplicate_blocks_in_dependent_materialized_views": "1",
}


class ClickHouse(Protocol):
    """What the project needs of ClickHouse. Errors: WarehouseUnavailableError (try again), WarehouseRefusedError."""

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Run a query; `{name:Type}` stands for a parameter, a list for an Array(String). Big integers come as text."""

    async def command(self, sql: str) -> None:
        """Run a statement that returns nothing."""

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        """Insert JSON objects, one a line. On a cluster two inserts with the same `token` are one."""

    async def ping(self) -> None:
        """Return when ClickHouse answers."""


class HttpClickHouse:
    """ClickHouse over its HTTP interface, with one database as the default."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, user: str, password: str, database: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"X-ClickHouse-User": user}
        if password:
            self._headers["X-ClickHouse-Key"] = password
        self._database = database

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Run a query and return its rows."""
        params = {f"param_{name}": escaped(value) for name, value in (parameters or {}).items()}
        body = await self._post(sql.encode(), {**params, **_ROWS})
        try:
            return [_row(line) for line in body.split(b"\n") if line]
        except orjson.JSONDecodeError as error:
            raise WarehouseUnavailableError(f"ClickHouse broke off its answer: {_why(body)}") from error

    async def command(self, sql: str) -> None:
        """Run a statement."""
        await self._post(sql.encode(), {})

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        """Insert JSON lines; returns when they are durable."""
        names = f" ({', '.join(columns)})" if columns else ""
        await self._post(
            lines,
            {
                "query": f"INSERT INTO {table}{names} FORMAT JSONEachRow",
                "insert_deduplication_token": token,
                **_INSERT,
            },
        )

    async def ping(self) -> None:
        """Ask for nothing."""
        await self._post(b"SELECT 1", {})

    async def _post(self, body: bytes, params: Mapping[str, str]) -> bytes:
        try:
            async with self._session.post(
                self._url, data=io.BytesIO(body), params={"database": self._database, **params}, headers=self._headers
            ) as response:
                answer = await response.read()
                # A failure after the first rows shows in the body alone, see `rows`.
                if response.status != 200 or "X-ClickHouse-Exception-Code" in response.headers:  # noqa: PLR2004
                    raise _error(response, answer)
                return answer
        except aiohttp.ClientSSLError as error:
            place = urlsplit(self._url).netloc
            raise WarehouseUnavailableError(
                f"ClickHouse at {place} and this client agree on no TLS: {error}",
                fix="Check CLICKHOUSE_CA_FILE, CLICKHOUSE_CERT_FILE, and the name in CLICKHOUSE_URL",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            place = urlsplit(self._url).netloc
            raise WarehouseUnavailableError(
                f"ClickHouse at {place} does not answer: {error!r}", fix="Check CLICKHOUSE_URL, and that it runs"
            ) from error


def _row(line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        # A body need not be UTF-8: ClickHouse hands it out as it is.
        row = orjson.loads(line.decode(errors="replace"))
    return row


def _why(body: bytes) -> str:
    """Return the error at the end of an answer, without the rows before it: they stand in no log."""
    _, found, said = body[-2000:].rpartition(b"Code: ")
    return (found + said).decode(errors="replace").strip() if found else "in the middle of a row"


def escaped(value: object) -> str:
    """Write a value as ClickHouse reads parameters: its tab-separated form, which quotes the texts of a list."""
    if isinstance(value, list):
        texts = (escaped(each).replace("'", "\\'") for each in value)
        return "[" + ", ".join(f"'{text}'" for text in texts) + "]"
    return str(value).translate(_ESCAPES)


def _error(response: aiohttp.ClientResponse, answer: bytes) -> WarehouseUnavailableError | WarehouseRefusedError:
    code = int(response.headers.get("X-ClickHouse-Exception-Code", "0") or 0)
    text = answer[-2000:].decode(errors="replace").strip()
    if code in _OVERLOADED or (not code and response.status >= 500):  # noqa: PLR2004
        return WarehouseUnavailableError(f"ClickHouse cannot serve now: {text}")
    return WarehouseRefusedError(f"ClickHouse refused: {text}", code=code)


def _tls(settings: Settings) -> SSLContext | bool:
    """Return how to verify ClickHouse and show who we are; True is the library's own default."""
    if settings.clickhouse_ca_file is None and settings.clickhouse_cert_file is None:
        return True
    return tls_context(
        settings.clickhouse_ca_file,
        settings.clickhouse_cert_file,
        settings.clickhouse_key_file,
        names=("CLICKHOUSE_CA_FILE", "CLICKHOUSE_CERT_FILE"),
    )


@asynccontextmanager
async def connect(
    settings: Settings, *, timeout_s: float = 60.0, database: str | None = None
) -> AsyncIterator[HttpClickHouse]:
    """Open a client for the settings' ClickHouse; nothing is sent yet. `database` overrides the settings' one.

    Raises ConfigError where a certificate or key cannot be used.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=5.0)
    connector = aiohttp.TCPConnector(ssl=_tls(settings))
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield HttpClickHouse(
            session,
            settings.clickhouse_url,
            user=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=settings.clickhouse_database if database is None else database,
        )
