"""The whole chain: how soon a webhook is a row that can be queried, and what rate all roles sustain together.

`python -m bench.chain [SECONDS]`: a stack of its own with every role. First an event every half second and nothing
else, each looked for in ClickHouse until it is there; then 2,000 events a second in requests of ten, and ten more a
second that are looked for. Then higher and higher rates for SECONDS each: a rate is held when at its end no group is
further behind than two seconds of it. At the end the ledger must balance. The load generator and the one who asks run
on the same machine.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import NamedTuple

import aiohttp
import psutil
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from bench.output import Result
from core import logs
from core.clickhouse import HttpClickHouse, connect
from core.clock import now_ms
from core.kafka import client_options
from core.settings import Settings, parse
from sandbox.demo.run import environ_of
from sandbox.simulator import Traffic, events
from sandbox.stack import Stack
from schemas import topics
from schemas.times import to_iso
from sinks.doctor_groups import committed_by, partitions_of
from sinks.ledger import audit
from sinks.rows import TARGETS
from sinks.worker import GROUP

SECONDS = 60.0
STEADY = 2_000
A_REQUEST = {STEADY: 10}
MORE_A_REQUEST = 50
RATES = (5_000, 10_000, 15_000, 20_000, 30_000)
PROBE_EVERY_S = 0.1
QUIET_EVERY_S = 0.5
QUIET_S = 30.0
LOOK_EVERY_S = 0.02
PATIENCE_S = 60.0
BEHIND_S = 2.0
"""A group that is no more than this behind is at the head: what is under way at any moment."""
FAILED = 300
PROBE = (
    '[{"payload":{"messageOldStatus":null,"messageNewStatus":{"updatedTime":"%s","status":"SENT"},"messageId":"%s",'
    '"sessionId":"1","channelId":"probe"},"eventTime":"%d","eventType":"IM_Message_Status","orgId":"1"}]'
)


class Chain(NamedTuple):
    """A running stack, and how to reach its ends."""

    stack: Stack
    settings: Settings
    url: str
    session: aiohttp.ClientSession
    clickhouse: HttpClickHouse


class Sustained(NamedTuple):
    """What became of a rate, in events."""

    rate: int
    sent: float
    """Events a second that were answered 200."""
    failed: int
    middle: int
    """How far the furthest group was behind half way through, and at the end."""
    end: int
    cpu: dict[str, float]
    """CPU seconds by role."""

    @property
    def held(self) -> bool:
        """Whether the rate was sent, and no group was behind by more than is under way at any moment."""
        flat = self.end <= self.rate * BEHIND_S
        return flat and not self.failed and self.sent >= 0.98 * self.rate


class Found(NamedTuple):
    """All that was measured."""

    latencies: list[float]
    """Seconds from the beginning of a request to the first query that found its row, sorted."""
    quiet: list[float]
    """The same without other traffic."""
    lost: int
    sustained: list[Sustained]
    balanced: bool


@asynccontextmanager
async def running() -> AsyncIterator[Chain]:
    """Start every role."""
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = environ_of(os.environ)
        async with Stack(Path(folder), environ=environ) as stack:
            settings = parse({**environ, **stack.environ, "STATE_DIR": folder})
            url = f"http://127.0.0.1:{settings.ingest_port}/webhooks/zoho-desk"
            async with aiohttp.ClientSession() as session, connect(settings, timeout_s=600) as clickhouse:
                yield Chain(stack, settings, url, session, clickhouse)


def bodies(rate: int, seconds: float, seed: int) -> Iterator[bytes]:
    """Yield requests of live traffic: as many events as the rate needs."""
    wanted = int(rate * seconds)
    traffic = Traffic(now_ms=now_ms(), messages=wanted, duplicates=0.02, siblings=False, span_ms=60_000, seed=seed)
    stream = islice((event.body for event in events(traffic) if event.kind), wanted)
    while chunk := list(islice(stream, A_REQUEST.get(rate, MORE_A_REQUEST))):
        yield b"[" + b",".join(chunk) + b"]"


async def post(chain: Chain, body: bytes) -> bool:
    """Send a request; False where it was not taken."""
    try:
        async with chain.session.post(chain.url, data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            return answer.status < FAILED
    except (aiohttp.ClientError, TimeoutError):
        return False


async def send(chain: Chain, requests: list[bytes], seconds: float) -> int:
    """Send requests evenly over some seconds; return how many were not taken."""
    begun, under_way = time.perf_counter(), set[asyncio.Task[bool]]()
    failed = 0

    def done(task: asyncio.Task[bool]) -> None:
        nonlocal failed
        under_way.discard(task)
        failed += not task.result()

    for number, body in enumerate(requests):
        wait = begun + number * seconds / len(requests) - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(post(chain, body))
        under_way.add(task)
        task.add_done_callback(done)
        if not number % 20:
            await asyncio.sleep(0)
    if under_way:
        await asyncio.wait(under_way)
    return failed


async def latency(chain: Chain, seconds: float) -> tuple[list[float], int]:
    """Return how long probes took to be queryable under steady traffic, and how many never were."""
    load = asyncio.create_task(send(chain, list(bodies(STEADY, seconds, 1)), seconds))
    await asyncio.sleep(2.0)
    found = await _probed(chain, "busy", PROBE_EVERY_S, seconds - 4.0)
    await load
    return found


async def _probed(chain: Chain, name: str, every: float, seconds: float) -> tuple[list[float], int]:
    """Send a probe every so often, and ask until each is found; returns as `latency` does."""
    begun: dict[str, float] = {}
    took: list[float] = []
    probing = asyncio.create_task(_probe(chain, begun, name, every, seconds))
    deadline = time.perf_counter() + seconds + PATIENCE_S
    while time.perf_counter() < deadline and (begun or not probing.done()):
        if begun:
            ids = ", ".join(f"'{name}'" for name in begun)
            where = f"org_id = '1' AND message_id IN ({ids})"
            rows = await chain.clickhouse.rows(f"SELECT message_id FROM transitions WHERE {where}")  # noqa: S608 -- our ids
            now = time.perf_counter()
            took += [now - begun.pop(row["message_id"]) for row in rows]
        await asyncio.sleep(LOOK_EVERY_S)
    await probing
    return sorted(took), len(begun)


async def _probe(chain: Chain, begun: dict[str, float], name: str, every: float, seconds: float) -> None:
    until = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < until:
        number += 1
        probe = f"{name}-{number}"
        begun[probe] = time.perf_counter()
        await post(chain, (PROBE % (to_iso(now_ms()), probe, now_ms())).encode())
        await asyncio.sleep(every)


async def sustain(chain: Chain, rate: int, seconds: float, seed: int) -> Sustained:
    """Send at a rate, and look how far behind each group is half way through and at the end; then wait for them."""
    requests = list(bodies(rate, seconds, seed))
    before = _cpu(chain.stack)
    begun = time.perf_counter()
    load = asyncio.create_task(send(chain, requests, seconds))
    await asyncio.sleep(seconds / 2)
    middle = await behind(chain)
    failed = await load
    took = time.perf_counter() - begun
    end = await behind(chain)
    cpu = {name: used - before.get(name, 0.0) for name, used in _cpu(chain.stack).items()}
    while await behind(chain):  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0.5)
    return Sustained(rate, rate * seconds / took, failed, middle, end, cpu)


async def behind(chain: Chain) -> int:
    """Return how many records the group that is furthest behind has still to take."""
    options = client_options(chain.settings)
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        async with AIOKafkaConsumer(**options) as consumer:
            found = [0]
            for group, names in ((topics.APP_ID, [topics.RAW]), (GROUP, list(TARGETS))):
                parts = await partitions_of(admin, names)
                ends, committed = await consumer.end_offsets(parts), await committed_by(admin, group)
                found.append(sum(max(0, ends[part] - committed.get(part, 0)) for part in parts))
    finally:
        await admin.close()
    return max(found)


def _cpu(stack: Stack) -> dict[str, float]:
    found = {name: psutil.Process(pid).cpu_times() for name, pid in stack.pids().items()}
    return {name: times.user + times.system for name, times in found.items()}


async def measure(seconds: float = SECONDS) -> Found:
    """Measure the latency, then rate after rate until one is not held; then balance the ledger."""
    async with running() as chain:
        await _probed(chain, "first", PROBE_EVERY_S, 2.0)  # the stack has warmed up
        quiet, never = await _probed(chain, "quiet", QUIET_EVERY_S, QUIET_S)
        latencies, lost = await latency(chain, seconds)
        sustained: list[Sustained] = []
        for seed, rate in enumerate(RATES, start=2):
            sustained.append(await sustain(chain, rate, seconds, seed))
            if not sustained[-1].held:
                break
        ledger = await audit(chain.settings, chain.clickhouse)
        return Found(latencies, quiet, lost + never, sustained, ledger.balanced)


def results(found: Found) -> list[Result]:
    """Return the lines of the plot."""
    lines = [
        Result(f"POST to queryable row, {STEADY:,} events/s", found.latencies, "s", ours=True),
        Result("POST to queryable row, nothing else", found.quiet, "s", ours=True),
    ]
    for each in found.sustained:
        word = "held" if each.held else "not held"
        lines.append(Result(f"{each.rate:,} events/s: {word}", [each.end], "records behind at the end", ours=each.held))
    return lines


def _percentiles(took: list[float]) -> str:
    cuts = quantiles(took, n=100)
    percentiles = ", ".join(f"p{number} {cuts[number - 1]:.2f} s" for number in (50, 95, 99))
    return f"{percentiles} ({len(took)} probes)"


def report(found: Found) -> str:
    """Return the percentiles, and a line for each rate."""
    lines = [
        f"POST to queryable row at {STEADY:,} events/s: {_percentiles(found.latencies)}",
        f"POST to queryable row, {1 / QUIET_EVERY_S:.0f} events/s: {_percentiles(found.quiet)}",
        f"probes never found: {found.lost}",
    ]
    for each in found.sustained:
        cpu = ", ".join(f"{name} {used:.0f}" for name, used in each.cpu.items() if used >= 1)
        word = "held" if each.held else "NOT held"
        lag = f"behind {each.middle:,} half way, {each.end:,} at the end"
        lines.append(
            f"{each.rate:>7,} events/s {word:<9} sent {each.sent:,.0f}/s, {each.failed} refused, {lag}; CPU s: {cpu}"
        )
    lines.append("the ledger balances" if found.balanced else "THE LEDGER DOES NOT BALANCE")
    return "\n".join(lines)


if __name__ == "__main__":
    logs.configure("bench", level="ERROR")
    print(report(asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))))
