"""The ingress as a process: `run` serves until SIGTERM or SIGINT, then answers what it accepted and returns."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ssl import SSLContext

import aiohttp
import uvloop
from aiohttp import web

from core.clock import now_ms
from core.errors import ConfigError, PortInUseError
from core.logs import get
from core.settings import Settings
from core.tracing import Tracer, tracing
from ingest.drain import Adoption, Drain
from ingest.keys import KeyStore, check_url, fetch_keys
from ingest.link import connect
from ingest.protocol import Server
from ingest.publisher import Publisher
from ingest.server import Ingress
from ingest.spool.spool import Spool
from ingest.store import Store
from ingest.tls import tls_context
from ingest.verifier import AnyOrg, TokenVerifier, Verifier

log = get(__name__)

SHUTDOWN_S = 6.0
"""Longest wait for requests under way when the process ends; every answer is given in less than 5 s."""


def run(settings: Settings) -> None:
    """Serve until told to stop. Raises ConfigError, PortInUseError."""
    if not settings.kafka_bootstrap_servers:
        raise ConfigError(
            "KAFKA_BOOTSTRAP_SERVERS is not set and no sandbox was ever started in STATE_DIR",
            fix="Set KAFKA_BOOTSTRAP_SERVERS=host:port, or start the sandbox with `receipts up`",
        )
    # An event is a handful of small tuples that live for a millisecond: walking them for cycles finds none. Closed
    # connections do leave cycles: the old ones among them need a full pass now and then.
    gc.set_threshold(100_000, 10, 10)
    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    async with serving(settings) as service:
        # What was made at the start stays: no full pass need walk it.
        gc.freeze()
        stop = asyncio.create_task(_told_to_stop())
        await asyncio.wait({stop, *service.tasks}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        log.info("stopping")


async def _told_to_stop() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


@dataclass(frozen=True, slots=True)
class Service:
    """A running ingress: the port it listens on, and the tasks that end early only by an error."""

    port: int
    tasks: frozenset[asyncio.Task[None]]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Service]:
    """Serve while the context lasts; on leaving, answer what was accepted. Raises ConfigError, PortInUseError."""
    with tracing(settings, "ingest") as tracer:
        async with _serving(settings, tracer) as service:
            yield service


@asynccontextmanager
async def _serving(settings: Settings, tracer: Tracer | None) -> AsyncIterator[Service]:
    async with _verifying(settings) as verifier, _storing(settings) as (store, tasks):
        ingress = Ingress(settings, store, verifier, tracer)
        runner = web.ServerRunner(Server(ingress.handle, ingress.refused), shutdown_timeout=SHUTDOWN_S)
        context = tls_context(settings)
        _warn_if_open(settings)
        await runner.setup()
        try:
            async with _own_metrics(settings, ingress):
                port = await _listen(runner, settings, context)
                log.info("listening", host=settings.ingest_host, port=port, tls=context is not None)
                yield Service(port, tasks)
        finally:
            await runner.cleanup()


def _warn_if_open(settings: Settings) -> None:
    """Say loudly when anybody may send events."""
    if settings.ingest_path_secrets or settings.zoho_jwt_mode == "verify":
        return
    if settings.ingest_host not in ("127.0.0.1", "::1", "localhost"):
        log.warning("anybody who reaches this address can send events", fix="set INGEST_PATH_SECRETS, ZOHO_JWT_MODE")


@asynccontextmanager
async def _own_metrics(settings: Settings, ingress: Ingress) -> AsyncIterator[None]:
    """Serve metrics at an address of our own: where a port is shared, nobody knows whose numbers /metrics gives."""
    if not settings.ingest_reuse_port:
        yield
        return
    runner = web.ServerRunner(Server(ingress.operate, ingress.refused))
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.metrics_host, settings.metrics_port)
        port = await _start(runner, site, f"METRICS_PORT={settings.metrics_port}", settings.metrics_host)
        log.info("metrics of this process", host=settings.metrics_host, port=port)
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _storing(settings: Settings) -> AsyncIterator[tuple[Store, frozenset[asyncio.Task[None]]]]:
    publisher = Publisher(lambda: connect(settings), settings.ingest_ack_timeout_ms / 1000)
    spool = Spool(settings.spool_path, settings.spool_max_bytes)
    await spool.open()
    drain = Drain(spool, publisher)
    adoption = Adoption(settings.spool_path, settings.spool_max_bytes, publisher)
    publishing, *others = tasks = [asyncio.create_task(part.run()) for part in (publisher, drain, adoption)]
    try:
        yield Store(publisher, spool, drain), frozenset(tasks)
    finally:
        for task in others:
            await _end(task)
        await spool.close()
        await _end(publishing)


@asynccontextmanager
async def _verifying(settings: Settings) -> AsyncIterator[Verifier]:
    if settings.zoho_jwt_mode == "off":
        yield AnyOrg()
        return
    url = check_url(settings.zoho_jwks_url)
    async with aiohttp.ClientSession() as session:
        keys = KeyStore(lambda: fetch_keys(session, url), asyncio.get_running_loop().time)
        fetching = asyncio.create_task(keys.run())
        try:
            yield TokenVerifier(
                keys,
                now_ms,
                max_age_s=settings.zoho_jwt_max_age_seconds,
                webhook_ids=frozenset(settings.zoho_webhook_ids),
            )
        finally:
            await _end(fetching)
            await keys.close()


async def _listen(runner: web.ServerRunner, settings: Settings, context: SSLContext | None) -> int:
    site = web.TCPSite(
        runner,
        settings.ingest_host,
        settings.ingest_port,
        backlog=1024,
        ssl_context=context,
        reuse_port=settings.ingest_reuse_port or None,
    )
    return await _start(runner, site, f"INGEST_PORT={settings.ingest_port}", settings.ingest_host)


async def _start(runner: web.ServerRunner, site: web.TCPSite, setting: str, host: str) -> int:
    """Listen and return the port. Raises PortInUseError."""
    try:
        await site.start()
    except OSError as error:
        raise PortInUseError(
            f"{setting}: cannot listen on {host} ({error.strerror})",
            fix=f"Free the port, name another, or set {setting.partition('=')[0]}=0 for any free one",
        ) from None
    port: int = runner.addresses[0][1]
    return port


async def _end(task: asyncio.Task[None]) -> None:
    """Stop a task; an error that ended it before is raised."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
