"""Reads a request's body within its limits of size, time and encoding."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from ingest import answers, content
from ingest.admission import Ticket
from ingest.answers import Refused

BODY_TIMEOUT_S = 30.0


async def read_body(request: web.BaseRequest, ticket: Ticket, limit: int) -> bytes:
    """Return the decompressed body. Raises Refused: 413, 415, 408, 429, or 400 when it ended early.

    A compressed body that cannot be decompressed raises `content.BrokenError` with the raw bytes.
    """
    stream = request.content
    # Small bodies come with their headers: no task, no timer.
    body = stream.read_nowait(-1) if stream.is_eof() else await _read_slowly(request, ticket, limit)
    if len(body) > limit:
        raise Refused(answers.TOO_LARGE)
    ticket.hold(len(body))
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is None:
        return body
    return _decompress(body, encoding.strip().lower(), limit, ticket)


async def _read_slowly(request: web.BaseRequest, ticket: Ticket, limit: int) -> bytes:
    """Read what is still to come, a chunk at a time, never more than the limit."""
    declared = request.content_length
    if declared is not None:
        if declared > limit:
            raise Refused(answers.TOO_LARGE)
        ticket.hold(declared)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await _continue(request)
            stream = request.content
            while not stream.at_eof():
                chunk = await stream.readany()
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise Refused(answers.TOO_LARGE)
                ticket.hold(size)
    except TimeoutError:
        raise Refused(answers.BODY_TIMEOUT) from None
    except (ConnectionError, web.RequestPayloadError, HttpProcessingError):
        raise Refused(answers.BROKEN_BODY) from None
    return b"".join(chunks)


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that asked first (`Expect: 100-continue`) to send its body."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written is no part of the answer.
        request.writer.output_size = 0


def _decompress(body: bytes, encoding: str, limit: int, ticket: Ticket) -> bytes:
    if encoding in content.IDENTITY:
        return body
    if not content.supported(encoding):
        raise Refused(answers.UNSUPPORTED_ENCODING)
    try:
        plain = content.decompress(body, encoding, limit)
    except content.TooLargeError:
        raise Refused(answers.TOO_LARGE) from None
    ticket.hold(len(plain))
    return plain
