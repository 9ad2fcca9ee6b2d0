"""The small HTTP server of roles that serve no users: /metrics, /healthz and /readyz."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.errors import PortInUseError
from core.metrics import REGISTRY

Ready = Callable[[], str]
"""Returns '' when the role does its work, else the reason why it does not yet."""


def add_routes(app: web.Application, ready: Ready) -> None:
    """Add the three routes to an application."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        reason = ready()
        return web.json_response({"ready": not reason, "reason": reason}, status=503 if reason else 200)

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


@asynccontextmanager
async def serving(host: str, port: int, ready: Ready) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port. Raises PortInUseError when it is taken."""
    app = web.Application()
    add_routes(app, ready)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise PortInUseError(
                f"METRICS_PORT={port}: cannot listen on {host}:{port} ({error.strerror})",
                fix="Free the port, name another, or set METRICS_PORT=0 for any free one",
            ) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
