"""The live stream end to end: from the topics to an open page, over restarts, never waiting for anyone."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import orjson
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer

from core.clock import iso
from core.settings import parse
from dashboard.hub import Event
from dashboard.main import opened
from dashboard.parts import Parts
from dashboard.web_app import application
from schemas import topics
from tests.dashboard.conftest import Filled
from tests.dashboard.process import Dashboard

pytestmark = pytest.mark.stack


def window(channel: str, sent: int) -> dict[str, Any]:
    """Return a window as the processors publish it."""
    counts = dict.fromkeys(("delivered", "read", "other", "duplicates", "late", "out_of_order", "contradictions"), 0)
    times = {f"{pair}_p{q}_ms": None for pair in ("sent_to_delivered", "delivered_to_read") for q in (50, 95)}
    return {
        "org_id": "9",
        "channel_id": channel,
        "window_start": iso(1_760_000_040_000),
        "sent": sent,
        "version": sent,
        **counts,
        **times,
        "negative_latencies": 0,
        "sent_to_delivered_sketch": {},
        "delivered_to_read_sketch": {},
    }


async def tell(kafka: str, *windows: dict[str, Any]) -> None:
    """Publish windows."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for each in windows:
            key = f"{each['org_id']}:{each['channel_id']}:{each['window_start']}".encode()
            await producer.send_and_wait(topics.WINDOWS, orjson.dumps(each), key=key, partition=0)


@asynccontextmanager
async def streaming(url: str, last_id: str = "") -> AsyncIterator[AsyncIterator[tuple[str, str, Any]]]:
    """Open the stream; yields event, id and data of each event."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 20) as session,
        session.get(f"{url}/api/stream", headers=headers) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield _events(answer)


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields.get("id", ""), orjson.loads(fields["data"])
            fields = {}


async def sent_of(events: AsyncIterator[tuple[str, str, Any]], channel: str, wanted: int) -> str:
    """Read until the channel's window has a count; returns the event's id."""
    async with asyncio.timeout(20):
        async for _, identity, data in events:
            if wanted in [each["sent"] for each in data.get("windows", []) if each["channel_id"] == channel]:
                return identity
    raise AssertionError("the stream has ended")


async def test_a_page_is_told_at_once_and_goes_on_where_it_was(filled: Filled, kafka: str, tmp_path: Path) -> None:
    """Over a restart of the dashboard too: ids are offsets of the topics."""
    channel = uuid4().hex
    with Dashboard(tmp_path, filled.environ) as running:
        await tell(kafka, window(channel, 1))
        async with streaming(running.url) as events:
            await tell(kafka, window(channel, 2))
            identity = await sent_of(events, channel, 2)
        await tell(kafka, window(channel, 3))
        async with streaming(running.url, identity) as events:
            identity = await sent_of(events, channel, 3)
            assert await asyncio.to_thread(running.stop) == 0, "an open page does not hold up the end"
        await tell(kafka, *(window(channel, number) for number in range(4, 8)))
        running.__enter__()
        async with streaming(running.url, identity) as events:
            await sent_of(events, channel, 7)


async def test_a_page_that_was_away_too_long_asks_anew(dashboard: Dashboard) -> None:
    async with streaming(dashboard.url, "a0-0.w0-0") as events, asyncio.timeout(20):
        async for event, _, _ in events:
            assert event == "reset"
            break


@asynccontextmanager
async def in_process(filled: Filled) -> AsyncIterator[tuple[Parts, int]]:
    """Serve in this process."""
    async with opened(parse(filled.environ)) as parts:
        runner = web.AppRunner(application(parts), access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield parts, runner.addresses[0][1]
        finally:
            parts.hub.close()
            await runner.cleanup()


async def test_who_reads_nothing_is_cut_off(filled: Filled) -> None:
    content = msgspec.Raw(b'"' + b"x" * 200_000 + b'"')
    async with in_process(filled) as (parts, port):
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(20):
                while not parts.hub.viewers:
                    await asyncio.sleep(0.01)
                for offset in itertools.count():
                    parts.hub.publish([Event("windows", 0, offset, content)], {("w", 0): offset + 1})
                    await asyncio.sleep(0)
                    if not parts.hub.viewers:
                        break
            assert parts.hub.cut_off == 1
            assert offset < 200, "what a reader leaves is bounded"


async def test_a_reader_that_leaves_is_forgotten(filled: Filled) -> None:
    async with in_process(filled) as (parts, port):
        async with streaming(f"http://127.0.0.1:{port}") as events:
            await anext(events)
            assert parts.hub.viewers == 1
        async with asyncio.timeout(20):
            while parts.hub.viewers:
                await asyncio.sleep(0.01)
