"""aiohttp's HTTP protocol with our answers in place of its own: no error page, no log line repeats the request.

aiohttp puts what it could not parse into its error page and its log, and with it the secret of the path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.web_protocol import RequestHandler

from core.logs import get
from ingest import answers

log = get(__name__)

HEADERS_TIMEOUT_S = 10.0
KEEPALIVE_TIMEOUT_S = 75.0
LINGERING_S = 2.0

_FAILED = 500
_REFUSALS: dict[type, answers.Refusal] = {
    # A method that aiohttp's parser has never heard of.
    BadHttpMethod: answers.UNKNOWN_METHOD,
}

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Protocol(RequestHandler):
    """One connection."""

    __slots__ = ("_headers_timer", "_on_refused")

    def __init__(self, manager: web.Server, *, on_refused: Callable[[answers.Refusal], None], **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._on_refused = on_refused
        self._headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first request's headers."""
        super().connection_made(transport)
        self._headers_timer = self._loop.call_later(HEADERS_TIMEOUT_S, self._headers_are_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; the clock runs while a request's headers are incomplete and no other request is under way."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_timer()
        elif self._headers_timer is None and self._waiter is not None and not self._messages:
            self._headers_timer = self._loop.call_later(HEADERS_TIMEOUT_S, self._headers_are_late)

    def _stop_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _headers_are_late(self) -> None:
        self._headers_timer = None
        transport = self.transport
        if transport is None or self._request_in_progress:
            return
        refusal = answers.HEADERS_TIMEOUT
        self._on_refused(refusal)
        transport.write(_plain(refusal))
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- it may quote the request
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse (400), or an error that escaped the handler (500)."""
        refusal = _REFUSALS.get(type(exc), answers.BAD_REQUEST) if status < _FAILED else answers.INTERNAL
        self._on_refused(refusal)
        if refusal is answers.INTERNAL:
            log.error("request failed", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        return refusal.response()

    def log_exception(self, *_: Any, **kwargs: Any) -> None:
        """Log the kind of the error alone: its text may quote the request."""
        log.error("connection failed", error=type(kwargs.get("exc_info")).__name__)

    def log_debug(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


class Server(web.Server):
    """Makes a Protocol for each connection."""

    def __init__(self, handler: Handler, on_refused: Callable[[answers.Refusal], None]) -> None:
        super().__init__(handler)
        self._on_refused = on_refused

    def __call__(self) -> RequestHandler:
        """Make the protocol of a new connection."""
        return Protocol(
            self,
            on_refused=self._on_refused,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_TIMEOUT_S,
            lingering_time=LINGERING_S,
            read_bufsize=2**18,
        )


def _plain(refusal: answers.Refusal) -> bytes:
    """Write a refusal as HTTP by hand, for a request that never was one."""
    body = orjson.dumps({"error": {"code": refusal.code, "message": refusal.message}})
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
        f"Content-Type: {answers.JSON}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
