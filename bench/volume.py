"""What an event costs the processor as there is more of everything: messages it knows, partitions, channels.

`python -m bench.volume`: `receipts processor` with everything on. On one broker SENT receipts alone, until it knows the
last of MESSAGES; CPU time is taken of the last SAMPLE records before each of them. Then, each on a broker of its own,
RECORDS receipts of live traffic on each number of PARTITIONS and of CHANNELS, in turns, ROUNDS times. Those are quiet
channels: the more there are, the fewer receipts a channel's minute has. Busy ones share BUSY_RECORDS of one minute.
"""

from __future__ import annotations

import asyncio
import time
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from statistics import median
from typing import Any, NamedTuple

import psutil

from bench.output import Result
from bench.processor import committed, cpu_of, filled, live, roles, started
from core.clock import now_ms
from sandbox.simulator import Traffic, events
from sandbox.simulator.traffic import Event
from schemas.events import STATUS_EVENT
from schemas.times import to_iso

MESSAGES = (1_000_000, 3_000_000, 10_000_000)
SAMPLE = 300_000
PARTITIONS = (1, 4, 32)
ORGS, CHANNELS = 5, (10, 1000, 10_000)
"""The same orgs whatever their channels: each writes its ids in a way of its own, and not all cost the same."""
RECORDS, SPAN_MS = 400_000, 20 * 60_000
BUSY_RECORDS, BUSY_SPAN_MS = 900_000, 96_000
"""So many messages begin in the span; the first of their receipts, so many as are used, come in two thirds of it."""
ROUNDS = 2
POLL_S = 0.1
FIRST_ID = 50007000000000000
BODY = (
    b'{"payload":{"messageOldStatus":null,"messageNewStatus":{"updatedTime":"%s","status":"SENT"},'
    b'"messageId":%d,"sessionId":%d,"channelId":%d},'
    b'"eventTime":"%d","eventType":"IM_Message_Status","orgId":"106553778"}'
)


class Cost(NamedTuple):
    """What the processor needed at one size."""

    of: str
    """What there is more of."""
    size: int
    us: float
    """CPU time of a record, microseconds."""
    rate: float
    """Records a second."""
    bytes: float
    """Memory of the process at the end."""


async def measure() -> list[Cost]:
    """Return the cost at each size, the rounds of a size one after the other."""
    found = await _growing()
    for _ in range(ROUNDS):
        found += [await _live("partitions", size, partitions=size) for size in PARTITIONS]
        found += [await _live("channels", size, orgs=ORGS, channels=size // ORGS) for size in CHANNELS]
        found += [await _busy(size) for size in CHANNELS]
    return found


async def _live(of: str, size: int, *, partitions: int = 4, orgs: int = 3, channels: int = 4) -> Cost:
    """Let the processor take live traffic on so many partitions and channels."""
    traffic = live(RECORDS, orgs=orgs, channels=channels, span_ms=SPAN_MS)
    return await _taken(of, size, traffic, RECORDS, partitions)


async def _busy(size: int) -> Cost:
    """Let the processor take a minute's traffic as dense as one machine sustains, on so many channels."""
    traffic = live(BUSY_RECORDS, orgs=ORGS, channels=size // ORGS, span_ms=BUSY_SPAN_MS)
    return await _taken("busy channels", size, traffic, BUSY_RECORDS, 4)


async def _taken(of: str, size: int, traffic: Traffic, records: int, partitions: int) -> Cost:
    async with filled(events(traffic), records, partitions) as (environ, kafka, loaded):
        took = await roles(1, environ, kafka, loaded)
    return Cost(of, size, took["cpu_seconds"] / took["records"] * 1e6, took["records"] / took["seconds"], took["bytes"])


async def _growing() -> list[Cost]:
    """Let the processor hear of ever more messages, and take its CPU time before each size."""
    found = []
    async with (
        # More than the last size: its sample must end in full work, as the others do.
        filled(_sent(), MESSAGES[-1] + SAMPLE) as (environ, kafka, _),
        started(1, environ, kafka) as (admin, (process,)),
    ):
        watched = psutil.Process(process.pid)
        for size in MESSAGES:
            first = await _reached(admin, process, size - SAMPLE)
            begun, cpu = time.perf_counter(), cpu_of([watched])
            records = await _reached(admin, process, max(size, first + 1)) - first
            seconds, spent = time.perf_counter() - begun, cpu_of([watched]) - cpu
            found.append(Cost("messages", size, spent / records * 1e6, records / seconds, watched.memory_info().rss))
    return found


async def _reached(admin: Any, process: Process, wanted: int) -> int:
    """Wait until so many records are committed; returns how many are."""
    while (done := await committed(admin)) < wanted:
        if process.returncode is not None:
            raise SystemExit(f"the processor ended after {done} records")
        await asyncio.sleep(POLL_S)
    return done


def _sent() -> Iterator[Event]:
    """Yield the SENT of one new message after the other, on twelve channels, each of this moment."""
    for number in count():
        at = now_ms()
        message, channel = FIRST_ID + number, FIRST_ID + number % 12
        body = BODY % (to_iso(at).encode(), message, message // 8, channel, at)
        yield Event(at, "106553778", str(message), STATUS_EVENT, body)


def report(found: list[Cost]) -> str:
    """Return a line for each size, with its ratio to the smallest of the same round."""
    lines = []
    for of in dict.fromkeys(cost.of for cost in found):
        mine = [cost for cost in found if cost.of == of]
        smallest = min(cost.size for cost in mine)
        least = [cost.us for cost in mine if cost.size == smallest]
        for size in sorted({cost.size for cost in mine}):
            rounds = [cost for cost in mine if cost.size == size]
            ratios = sorted(cost.us / base for cost, base in zip(rounds, least, strict=True))
            spread = f"({ratios[0]:.2f}-{ratios[-1]:.2f})" if len(ratios) > 1 else ""
            us, rate = median(cost.us for cost in rounds), median(cost.rate for cost in rounds)
            lines.append(
                f"{size:>12,} {of:<13} {us:>6.1f} CPU us a record  {median(ratios):>5.2f} of the smallest {spread:<12} "
                f"{rate:>8,.0f} records/s  {rounds[-1].bytes / 2**20:>6,.0f} MiB"
            )
    return "\n".join(lines)


def results(found: list[Cost]) -> list[Result]:
    """Return the lines of the plot."""
    rounds: dict[tuple[str, int], list[float]] = defaultdict(list)
    for cost in found:
        rounds[cost.of, cost.size].append(cost.us)
    return [Result(f"{size:,} {of}", us, "CPU us a record", ours=True) for (of, size), us in sorted(rounds.items())]


if __name__ == "__main__":
    print(report(asyncio.run(measure())))
