"""Where the notifier of a run delivers to: a web server of our own, which remembers what it was told."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_bytes
from time import monotonic
from typing import Any

from aiohttp import web

Told = tuple[str, str]
"""Alert id and state."""
SECRET = f"whsec_{b64encode(token_bytes(24)).decode()}"
POLL_S = 0.2
REFUSED_EVERY = 20
"""One notification in so many is refused, and must come again."""


class Receiver:
    """Alerts told, and how often."""

    def __init__(self) -> None:
        self.told: Counter[Told] = Counter()
        self.url = ""
        self.last = monotonic()
        self._calls = 0

    async def take(self, request: web.Request) -> web.Response:
        """Take a notification, or refuse it."""
        body: dict[str, Any] = await request.json()
        self._calls += 1
        self.last = monotonic()
        if self._calls % REFUSED_EVERY == 0:
            return web.Response(status=503)
        self.told.update((alert["alert_id"], alert["state"]) for alert in body["data"]["alerts"])
        return web.Response(status=204)

    def destination(self) -> str:
        """Return the text of a NOTIFY_FILE that delivers here, as fast as it goes."""
        lines = ('name = "torture"', 'kind = "webhook"', f'url = "{self.url}"', f'secret = "{SECRET}"')
        pace = ("per_minute = 6000", 'digest_within = "200ms"', "digest_max = 500", 'timeout = "5s"')
        return "\n".join(("[[destination]]", *lines, *pace, ""))

    async def untold(self, wanted: set[Told], patience_s: float) -> set[Told]:
        """Wait until everything wanted was told, or nothing more comes for so long; return what was not told."""
        self.last = monotonic()
        while (missing := wanted - self.told.keys()) and monotonic() - self.last < patience_s:  # noqa: ASYNC110 -- two ends
            await asyncio.sleep(POLL_S)
        return missing


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve on a free port of this machine."""
    receiver = Receiver()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield receiver
    finally:
        await runner.cleanup()
