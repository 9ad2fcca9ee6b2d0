"""A webhook receiver for the simulator to send to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Receiver:
    """A webhook receiver that answers as it is told to, and keeps what it took."""

    failures: list[int] = field(default_factory=list)
    """Statuses of its first answers to POST."""
    probe: int = 200
    taken: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(status=self.probe)
        body = await request.read()
        if self.failures:
            return web.Response(status=self.failures.pop(0), headers={"Retry-After": "0"})
        self.taken.append(body)
        return web.json_response({"accepted": len(json.loads(body)), "parked": 0})


Start = Callable[[Receiver], Awaitable[Receiver]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers: list[TestServer] = []

    async def run(receiver: Receiver) -> Receiver:
        app = web.Application()
        app.router.add_route("*", "/hook", receiver.handle)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        receiver.url = str(server.make_url("/hook"))
        return receiver

    yield run
    for server in servers:
        await server.close()
