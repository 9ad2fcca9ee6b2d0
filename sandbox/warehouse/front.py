"""The HTTP front: ClickHouse's interface as clickhouse-connect, curl and Grafana use it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from core import logs
from core.errors import PortInUseError
from sandbox.ports import LOOPBACK
from sandbox.warehouse import encodings
from sandbox.warehouse.engine import Answer, Request
from sandbox.warehouse.failures import (
    ACCESS_DENIED,
    NOT_IMPLEMENTED,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    QueryError,
    from_engine,
    refuse,
)
from sandbox.warehouse.requests import build

THREADS = 8
MOST_AT_ONCE = 100
LARGEST_BODY = 1024 * 1024 * 1024
DRAIN_S = 8.0
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_CONTENT_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "Pretty": "text/plain; charset=UTF-8",
}

_log = logs.get(__name__)


class Runs(Protocol):
    """What runs a statement in the calling thread, raising QueryError: the engine."""

    def run(self, request: Request) -> Answer: ...  # noqa: D102 - said above


@dataclass(slots=True)
class Warehouse:
    """The engine, its threads, and how many statements are in them or wait for one."""

    engine: Runs
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "query"))
    running: int = 0

    async def run(self, request: Request) -> Answer:
        """Run a statement in a thread. Raises QueryError."""
        if self.running >= MOST_AT_ONCE:
            raise refuse(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                f"Too many simultaneous queries. Maximum: {MOST_AT_ONCE}",
            )
        self.running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, self.engine.run, request)
        finally:
            self.running -= 1


WAREHOUSE = web.AppKey("warehouse", Warehouse)


def application(warehouse: Warehouse) -> web.Application:
    """Make the application."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_only_this_machine])
    app[WAREHOUSE] = warehouse
    app.router.add_get("/ping", _ok)
    app.router.add_get("/replicas_status", _ok)
    app.router.add_get("/", _query)
    app.router.add_post("/", _query)
    return app


@asynccontextmanager
async def serving(warehouse: Warehouse, port: int) -> AsyncIterator[int]:
    """Serve on loopback while the context lasts, then let running statements end; yields the port.

    Raises PortInUseError.
    """
    runner = web.AppRunner(
        application(warehouse), access_log=None, handle_signals=False, shutdown_timeout=DRAIN_S, auto_decompress=False
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as error:
            raise PortInUseError(
                f"SANDBOX_CLICKHOUSE_PORT={port}: cannot listen on {LOOPBACK}:{port} ({error.strerror})",
                fix="Stop the program that does, name another port, or set SANDBOX_CLICKHOUSE_PORT=0 for any free one",
            ) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@web.middleware
async def _only_this_machine(request: web.Request, handler: Any) -> web.StreamResponse:
    """Refuse what a web page makes a browser send here: no password guards the sandbox."""
    origin = urlsplit(request.headers.get("Origin", "")).hostname
    host = urlsplit(f"//{request.host}").hostname
    if host not in _LOOPBACK_NAMES or (origin is not None and origin not in _LOOPBACK_NAMES):
        return _failed(refuse(ACCESS_DENIED, "ACCESS_DENIED", "Only programs of this machine are served"), {})
    response: web.StreamResponse = await handler(request)
    return response


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def _query(request: web.Request) -> web.Response:
    if request.method != "POST" and not request.query_string:
        return await _ok(request)
    common = _common_headers(request)
    try:
        fields, body = await _content(request)
        pairs = [*request.query.items(), *fields]
        asked = build(pairs, request.headers, body, readonly=request.method != "POST")
        answer = await request.app[WAREHOUSE].run(asked)
    except QueryError as error:
        return _failed(error, common)
    except (RuntimeError, ValueError) as error:
        _log.exception("the front failed")
        return _failed(from_engine(error), common)
    return await _answered(request, answer, common)


async def _content(request: web.Request) -> tuple[list[tuple[str, str]], bytes]:
    """Return the text fields of a multipart form, and the body of anything else."""
    if request.content_type != "multipart/form-data":
        return [], encodings.decompress(await request.read(), request.headers.get("Content-Encoding", ""))
    fields = await request.post()
    texts = [(name, value) for name, value in fields.items() if isinstance(value, str)]
    if len(texts) < len(fields):
        raise refuse(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "External tables are not served here")
    return texts, b""


def _common_headers(request: web.Request) -> dict[str, str]:
    return {
        "X-ClickHouse-Query-Id": request.query.get("query_id") or str(uuid.uuid4()),
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Server-Display-Name": "receiptstream-sandbox",
    }


def _failed(error: QueryError, common: dict[str, str]) -> web.Response:
    headers = {**common, "X-ClickHouse-Exception-Code": str(error.code)}
    return web.Response(text=error.text + "\n", status=error.status, headers=headers)


async def _answered(request: web.Request, answer: Answer, common: dict[str, str]) -> web.Response:
    headers = {**common, "X-ClickHouse-Summary": _summary(answer)}
    if answer.format:
        headers["X-ClickHouse-Format"] = answer.format
    headers["Content-Type"] = _CONTENT_TYPES.get(
        answer.format, "application/octet-stream" if answer.format else "text/plain; charset=UTF-8"
    )
    body = answer.body
    encoding = ""
    if request.query.get("enable_http_compression", "0") not in ("", "0", "false"):
        encoding = encodings.chosen(request.headers.get("Accept-Encoding", ""))
    if encoding and body:
        body = await asyncio.to_thread(encodings.compress, body, encoding)
        headers["Content-Encoding"] = encoding
    return web.Response(body=body, headers=headers)


def _summary(answer: Answer) -> str:
    """Return the summary header: numbers as texts, as the server writes them."""
    return orjson.dumps(
        {
            "read_rows": str(answer.rows_read),
            "read_bytes": str(answer.bytes_read),
            "written_rows": str(answer.rows_written),
            "written_bytes": str(answer.bytes_written),
            "total_rows_to_read": "0",
            "result_rows": str(answer.rows_written),
            "result_bytes": str(answer.bytes_written or len(answer.body)),
            "elapsed_ns": str(int(answer.elapsed * 1e9)),
        }
    ).decode()
