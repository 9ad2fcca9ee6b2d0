"""What stands before the secured parts in tests: an issuer of tokens, and TLS before ClickHouse."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from core.clock import now_ms

LIFETIME_S = 20


class _Issuer(BaseHTTPRequestHandler):
    """Gives unsigned tokens, which Kafka takes where nobody tells it otherwise, to clients whose secret is right."""

    def do_POST(self) -> None:
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        client, _, secret = (
            base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        )
        given = form["grant_type"] == ["client_credentials"] and secret == client * 2
        now = now_ms() // 1000
        claims = {"sub": client, "iat": now, "exp": now + LIFETIME_S, "jti": uuid4().hex}
        token = ".".join((_part({"alg": "none"}), _part(claims), ""))
        answer = {"access_token": token, "expires_in": LIFETIME_S} if given else {"error": "invalid_client"}
        body = json.dumps(answer).encode()
        self.server.asked += 1  # type: ignore[attr-defined] # the server below
        self.send_response(200 if given else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Say nothing."""


def _part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


class Issuer(ThreadingHTTPServer):
    """An issuer of tokens on a free port."""

    asked = 0

    @property
    def url(self) -> str:
        """Where clients get tokens."""
        return f"http://127.0.0.1:{self.server_port}/token"


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer of tokens."""
    with Issuer(("127.0.0.1", 0), _Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def tls_before(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Listen with TLS and pass all on to a port of this machine; yields the port."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))

    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(serve, "localhost", 0, ssl=context, family=socket.AF_INET)
        started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    listening, loop, stop = started.result(10)
    yield listening
    loop.call_soon_threadsafe(stop.set)
    thread.join()
