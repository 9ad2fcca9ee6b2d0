"""Receivers on this machine: an HTTP server that can fail as told, and an SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import orjson
from aiohttp import web
from aiosmtpd.smtp import SMTP

SECRET = "whsec_" + "c2VjcmV0LW9mLXRlc3RzLWFuZC1vbmx5LXRlc3Rz"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What a Standard Webhooks message tells."""
        return list(self.json["data"]["alerts"])


@dataclass
class Receiver:
    """Keeps what it receives; `answers` are the next statuses, then 200."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    down: bool = False
    silent: bool = False
    """Takes a request and never answers."""
    refuse: str = ""
    """Answers 400 to whatever contains this."""
    headers: dict[str, str] = field(default_factory=dict)
    tried: int = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.tried += 1
        if self.silent:
            await asyncio.sleep(3600)
        if self.down:
            return web.Response(status=503)
        if self.refuse and self.refuse.encode() in body:
            return web.Response(status=400, text="no <such>\nthing")
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.got.append(Received(request.path, dict(request.headers), body))
        return web.Response(status=status, headers=self.headers)

    def ids(self) -> list[str]:
        """Return the ids of all alerts received, in order."""
        return [alert["id"] for received in self.got for alert in received.alerts]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serving(receiver.serve) as url:
        receiver.url = url
        yield receiver


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Mailbox:
    """What an SMTP server took."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.refuse_with = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 -- the library's name
        if self.refuse_with:
            return self.refuse_with
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.to.append(list(envelope.rcpt_tos))
        return "250 taken"


@asynccontextmanager
async def mailing(**options: Any) -> AsyncIterator[tuple[Mailbox, int]]:
    """Run a real SMTP server; yields its mailbox and its port."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="localhost", **options), "127.0.0.1", 0)
    try:
        yield mailbox, server.sockets[0].getsockname()[1]
    finally:
        server.close()
