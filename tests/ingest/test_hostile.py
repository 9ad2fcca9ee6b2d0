"""Thousands of malformed requests: each gets our JSON answer, none a 5xx, and the memory stays where it was."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import signal
import zlib
from collections import Counter
from pathlib import Path

import orjson
import psutil
import pytest

from tests.ingest.conftest import SECRET
from tests.ingest.process import Process

pytestmark = pytest.mark.stack

PATH = f"/webhooks/zoho-desk/{SECRET}"
GOOD = b'[{"eventType":"New","orgId":"1"}]'
BOMB = gzip.compress(bytes(2_000_000))
PATIENCE_S = 0.2
GROWTH = 16 * 2**20
"""Bytes that an allocator may keep for itself."""
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "5000"))
"""How many to send: `make fuzz` sends many more."""


def with_body(body: bytes, *headers: str, path: str = PATH) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def malformed(dice: random.Random) -> bytes:
    """Return one of very many requests that are wrong in some way, or only odd."""
    noise = dice.randbytes(dice.randrange(1, 300))
    broken = bytearray(GOOD * 3)
    for _ in range(3):
        broken[dice.randrange(len(broken))] = dice.randrange(256)
    depth = dice.randrange(1, 3000)
    kinds = [
        noise + b"\r\n\r\n",
        with_body(noise),
        with_body(bytes(broken)),
        with_body(b"[" * depth + b"]" * depth),
        with_body(b'{"a":' * depth),
        with_body(noise, "Content-Encoding: gzip"),
        with_body(gzip.compress(bytes(broken))[: dice.randrange(5, 60)], "Content-Encoding: gzip"),
        with_body(BOMB, "Content-Encoding: gzip"),
        with_body(zlib.compress(bytes(broken)), "Content-Encoding: deflate"),
        with_body(GOOD, f"Content-Encoding: {noise.hex()[:8]}"),
        with_body(GOOD, f"X-{noise.hex()}: {'y' * dice.randrange(9000)}"),
        with_body(GOOD, "Content-Length: 7"),
        with_body(GOOD, "Transfer-Encoding: chunked"),
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + noise,
        f"POST {PATH}{noise.hex()} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n[]]".encode(),
        f"{noise.hex()[:6].upper()} {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        b"POST " + noise.replace(b"\n", b"") + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        with_body(b'["\\ud800", NaN, 1e999]'),
        with_body(b"[" + b"1," * dice.randrange(2000) + b"{}]"),
        with_body(GOOD[: dice.randrange(len(GOOD))]),
        with_body(GOOD, "Expect: 100-continue"),
        with_body(GOOD, "Upgrade: websocket", "Connection: Upgrade"),
        with_body(GOOD, path="http://x" + PATH),
        with_body(GOOD, path="/%ff%00/../" + PATH),
    ]
    return dice.choice(kinds)


async def send(port: int, data: bytes, dice: random.Random) -> bytes:
    """Send a request, perhaps in two pieces, perhaps going away early, and return what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        cut = dice.randrange(len(data)) if dice.random() < 0.3 else len(data)
        writer.write(data[:cut])
        await writer.drain()
        if cut < len(data) and dice.random() < 0.5:
            return b""
        writer.write(data[cut:])
        async with asyncio.timeout(PATIENCE_S):
            return await answer_of(reader)
    except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        return b""  # what asks for nothing whole gets no answer yet
    finally:
        writer.close()


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """Read one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return await answer_of(reader)
    return head + await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))


def status_of(answer: bytes) -> int:
    """Return the status of an answer; every error must be ours."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if status >= 300:
        error = orjson.loads(body)["error"]
        assert error["code"]
        assert error["message"]
    return status


async def rounds(port: int, count: int, dice: random.Random, seen: Counter[int]) -> None:
    async def worker() -> None:
        for _ in range(count // 16):
            answer = await send(port, malformed(dice), dice)
            if answer:
                seen[status_of(answer)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(worker())


@pytest.mark.timeout(60 + REQUESTS // 100)
async def test_thousands_of_malformed_requests_leave_nothing_behind(kafka: str, tmp_path: Path) -> None:
    process = Process(kafka, tmp_path, INGEST_MAX_BODY_BYTES=str(2**20))
    dice = random.Random(7)  # noqa: S311 -- a test's dice
    seen: Counter[int] = Counter()
    async with process.client() as client:
        await client.until_via("kafka")
        memory = psutil.Process(process.process.pid)
        resident = [memory.memory_info().rss]
        for _ in range(2):
            # The first half makes the allocator's own room; were there a leak, the second half would need as much.
            await rounds(process.port, REQUESTS // 2, dice, seen)
            resident.append(memory.memory_info().rss)
        print(f"{sum(seen.values())} answers {dict(seen)}; resident MiB {[size >> 20 for size in resident]}")  # noqa: T201
        assert resident[2] - resident[1] < GROWTH
        assert resident[2] - resident[0] < 4 * GROWTH
        assert (await client.post(GOOD))[0] == 200
        readiness = await client.readiness()
        assert readiness["ready"]
    assert process.end(signal.SIGTERM) == 0
    assert {status for status in seen if status >= 500} == set()
    assert seen.keys() >= {200, 400, 404, 405, 413, 415}
    text = process.log.read_text()
    assert SECRET not in text
    assert "Traceback" not in text
