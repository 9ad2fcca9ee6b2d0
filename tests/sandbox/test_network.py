"""The faulty network: what a client sees when it is slow, cut, or half-open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from time import monotonic

import pytest

from sandbox.torture.network import Link, network

WITHIN_S = 5.0


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """Open a link to a server that answers each line with itself."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, network({"echo": lambda: port}) as links:
        yield links["echo"]


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def says(self, word: bytes) -> bytes:
        """Return what is answered, b'' where the connection ends or is reset."""
        with suppress(ConnectionError):
            self.writer.write(word + b"\n")
            return (await asyncio.wait_for(self.reader.readline(), WITHIN_S)).rstrip()
        return b""


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(link: Link) -> AsyncIterator[Connect]:
    """Give connections over the link; they are closed with the test."""
    made: list[Client] = []

    async def one() -> Client:
        made.append(Client(*await asyncio.open_connection("127.0.0.1", link.port)))
        return made[-1]

    yield one
    for each in made:
        each.writer.transport.abort()


async def test_a_sound_network_passes_everything_on(connect: Connect) -> None:
    client = await connect()
    assert await client.says(b"x" * 50_000) == b"x" * 50_000
    assert await client.says(b"again") == b"again"


async def test_a_slow_one_holds_everything_back(link: Link, connect: Connect) -> None:
    client = await connect()
    link.delay_s = 0.1
    began = monotonic()
    assert await client.says(b"slow") == b"slow"
    assert monotonic() - began >= 0.2  # there and back


async def test_a_cut_one_resets_what_is_there_and_what_comes(link: Link, connect: Connect) -> None:
    client = await connect()
    assert await client.says(b"before") == b"before"
    link.cut()
    assert await client.says(b"after") == b""
    assert await (await connect()).says(b"new") == b""
    link.mend()
    assert await (await connect()).says(b"mended") == b"mended"


async def test_a_half_open_one_answers_nothing_and_does_not_end(link: Link, connect: Connect) -> None:
    client = await connect()
    assert await client.says(b"before") == b"before"
    link.hang()
    client.writer.write(b"lost\n")
    another = await connect()
    another.writer.write(b"lost too\n")
    silent = [asyncio.ensure_future(each.reader.readline()) for each in (client, another)]
    done, _ = await asyncio.wait(silent, timeout=0.5)
    assert not done
    link.mend()
    for each in silent:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(each, WITHIN_S) == b""
    assert await (await connect()).says(b"mended") == b"mended"
