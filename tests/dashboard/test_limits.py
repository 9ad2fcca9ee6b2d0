"""What a stranger may send, to a dashboard whose Kafka and ClickHouse are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from core.settings import parse
from dashboard import positions
from dashboard.guess import MOST
from dashboard.main import serving
from tests.dashboard.conftest import TOKEN

AWAY = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "CLICKHOUSE_URL": "http://127.0.0.1:1",
    "DASHBOARD_PORT": "0",
    "DASHBOARD_TOKEN": TOKEN,
}
OWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """Serve, and name the address."""
    async with serving(parse(AWAY)) as port:
        yield f"http://127.0.0.1:{port}"


async def raw(base: str, *lines: bytes) -> bytes:
    """Send a request of these bytes and return the answer's first line."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"\r\n".join([*lines, b"Host: localhost", b"Connection: close", b"", b""]))
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("given", ["ü".encode(), b"\xff\xfe"])
async def test_headers_beyond_ascii_are_refused_as_wrong_ones(base: str, given: bytes) -> None:
    assert b" 401 " in await raw(base, b"GET /api/channels HTTP/1.1", b"Authorization: Bearer " + given)
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{base}/login", data={"token": TOKEN}, allow_redirects=False)
        cookie = answer.cookies["receipts_dashboard"].value.encode()
    sent = await raw(
        base, b"POST /api/dead/redrive HTTP/1.1", b"Cookie: receipts_dashboard=" + cookie, b"X-CSRF-Token: " + given
    )
    assert b" 403 " in sent


async def test_after_many_wrong_tokens_none_is_looked_at(base: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def asked(path: str = "/api/me", **headers: str) -> int:
            async with session.get(base + path, headers=headers) as answer:
                return answer.status

        entered = await session.post(f"{base}/login", data={"token": TOKEN}, allow_redirects=False)
        assert await asked(**OWN) == 200
        session.cookie_jar.clear()
        for _ in range(MOST):
            assert await asked() == 401, "no token is no guess"
            assert await asked(Authorization="Bearer") == 401
            assert await asked(Authorization="Bearer wrong") == 401
        async with session.get(f"{base}/api/me", headers=OWN) as answer:
            assert answer.status == 429
            assert 0 < int(answer.headers["Retry-After"]) <= 60
            assert (await answer.json())["error"]["code"] == "guesses"
        async with session.post(f"{base}/login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 429
        assert await asked("/healthz", Authorization="Bearer wrong") == 200
        ticket = entered.cookies["receipts_dashboard"].value
        assert await asked(Cookie=f"receipts_dashboard={ticket}") == 200, "who is in stays in"


async def test_a_page_may_come_back_from_topics_of_many_partitions(base: str) -> None:
    stood = positions.write({(letter, number): 10**12 for letter in "aw" for number in range(1000)})
    assert len(stood) > 30_000
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{base}/api/stream", headers={**OWN, "Last-Event-ID": stood}) as answer,
    ):
        assert answer.status == 200
        assert (await answer.content.readuntil(b"event: reset")).endswith(b"event: reset")
