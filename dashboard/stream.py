"""The live stream to one page: writes frames as fast as the page takes them, and no longer than it does."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from aiohttp import web

from core import metrics
from dashboard.hub import Hub, Viewer

BEAT_S: Final = 15.0
WRITE_S: Final = 10.0
"""A page that takes nothing for so long is cut off."""
RETRY_MS: Final = (1000, 4000)


async def serve(request: web.Request, hub: Hub) -> web.StreamResponse:
    """Serve one page until it leaves, is too slow, or the server ends."""
    joined = hub.join(request.headers.get("Last-Event-ID", ""))
    if joined is None:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"})
    viewer, hello = joined
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    metrics.DASHBOARD_VIEWERS.inc()
    try:
        await response.prepare(request)
        retry = random.randint(*RETRY_MS)  # noqa: S311 -- spreads the pages that come back, no secret
        await _write(response, f"retry: {retry}\n\n".encode() + hello)
        await _pass_on(response, viewer)
    except TimeoutError:
        hub.cut(viewer)
    except ConnectionError:
        pass
    finally:
        metrics.DASHBOARD_VIEWERS.dec()
        hub.leave(viewer)
        if viewer.cut:
            metrics.DASHBOARD_CUT_OFF.inc()
            if request.transport is not None:
                # What waits in its buffer goes with it.
                request.transport.abort()
    return response


async def _pass_on(response: web.StreamResponse, viewer: Viewer) -> None:
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                content = await viewer.frames.get()
        except TimeoutError:
            content = b": beat\n\n"
        if content is None:
            return
        await _write(response, content)


async def _write(response: web.StreamResponse, content: bytes) -> None:
    async with asyncio.timeout(WRITE_S):
        await response.write(content)
