"""The dashboard role: serves pages, the read API and the live stream until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvloop
from aiohttp import web

from core import logs
from core.errors import PortInUseError
from core.settings import Settings
from dashboard import positions, reader
from dashboard.access import Gate, check_settings
from dashboard.feed import Feed
from dashboard.flow import Kafka
from dashboard.hub import Hub
from dashboard.letters import Letters, Work
from dashboard.parts import Parts
from dashboard.tickets import Tickets
from dashboard.web_app import application

DRAIN_S: Final = 2.0
_log = logs.get(__name__)


def run(settings: Settings, letters: Letters | None = None) -> None:
    """Run until SIGTERM or SIGINT. Kafka and ClickHouse may be away: the pages then say so.

    `letters` changes dead letters for pages; without it they only show them.
    Raises ConfigError where others could look without a token, PortInUseError.
    """
    check_settings(settings)
    uvloop.run(_run(settings, letters))


async def _run(settings: Settings, letters: Letters | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings, letters) as port:
        _log.info("dashboard_started", host=settings.dashboard_host, port=port)
        await stop.wait()


@asynccontextmanager
async def serving(settings: Settings, letters: Letters | None = None) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port."""
    async with opened(settings, letters) as parts:
        runner = web.AppRunner(
            application(parts),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=DRAIN_S,
            handler_cancellation=True,
            # A Last-Event-ID names every partition of two topics.
            max_field_size=positions.LONGEST,
        )
        await runner.setup()
        try:
            yield await _listen(runner, settings)
        finally:
            parts.hub.close()
            await runner.cleanup()


@asynccontextmanager
async def opened(settings: Settings, letters: Letters | None = None) -> AsyncIterator[Parts]:
    """Open what the handlers need, and read the live topics meanwhile."""
    token = settings.dashboard_token.get_secret_value()
    tickets = Tickets(token) if token else None
    async with reader.opened(settings) as warehouse:
        hub = Hub()
        feed = Feed(settings, hub)
        parts = Parts(
            warehouse,
            Kafka(settings),
            hub,
            feed,
            Gate(tickets),
            tickets,
            ingest_urls=settings.dashboard_ingest_urls,
            work=Work(letters),
        )
        reading = asyncio.create_task(feed.run())
        try:
            yield parts
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await parts.work.close()
            await parts.snapshots.close()
            await parts.kafka.close()


async def _listen(runner: web.AppRunner, settings: Settings) -> int:
    host, port = settings.dashboard_host, settings.dashboard_port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise PortInUseError(
            f"DASHBOARD_PORT={port}: cannot listen on {host}:{port} ({error.strerror})",
            fix="Free the port, name another, or set DASHBOARD_PORT=0 for any free one",
        ) from None
    return int(runner.addresses[0][1])
