"""The answer that is given often, written in one step.

aiohttp makes an answer from a table of headers, which costs as much as all that is done with one event. To a plain
HTTP/1.1 request the 200 goes out as ready bytes; to any other (HTTP/1.0, `Connection: close`) as aiohttp does it.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import cast

from aiohttp import HttpVersion11, web

from ingest.answers import JSON

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: " + JSON.encode() + b"\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s"


class Quick:
    """What aiohttp's protocol asks of a response, and no more."""

    __slots__ = ("_data",)

    keep_alive = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write head and body."""
        writer = request.writer
        await writer.write(self._data)
        # A client that reads no answers is sent no more of them.
        await writer.drain()

    async def write_eof(self) -> None:
        """Do nothing: everything is written."""


class Answers:
    """Makes the 200s; the date is made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = b""

    def accepted(self, request: web.BaseRequest, events: int, parked: int, now_ms: int) -> web.StreamResponse:
        """Return the answer to a POST whose elements are all durable."""
        text = b'{"accepted":%d,"parked":%d}' % (events, parked)
        if request.version != HttpVersion11 or not request.keep_alive:
            return web.Response(body=text, content_type=JSON)
        second = now_ms // 1000
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode()
        return cast("web.StreamResponse", Quick(_HEAD % (self._date, len(text), text)))
