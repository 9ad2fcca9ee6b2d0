"""The dashboard on many messages, and whether people who look slow the pipeline down.

`python -m bench.dashboard [MESSAGES [VIEWERS]]`: a stack of its own. First simulated receipts go through the processor
and the sink, in turns with nobody looking and with VIEWERS open pages (a live stream each, and the overview asked for
every few seconds as a page does). Then MESSAGES messages are made in ClickHouse, and the overview is asked for: each
time after the answer before has grown too old to be shown again, so that each answer is worked out anew.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from bench.output import Result
from core.clickhouse import HttpClickHouse, connect
from core.clock import now_ms
from core.settings import parse
from sandbox.demo.run import environ_of
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from sandbox.stack import Stack

MESSAGES = 10_000_000
VIEWERS = 200
RECORDS = 150_000
TURNS = 4
STEP = 1_000_000
ASKED = 20
PAGE_S = 4.0
"""How often an open page asks anew while things happen."""

_MADE = """
SELECT
    number AS i, '106553778' AS org_id, concat('5000700000000', toString(4080 + intHash32(i) % 12)) AS channel_id,
    concat('7', toString(intDiv(i, 6))) AS session_id, concat('5000700', toString(100000000000 + i)) AS message_id,
    intHash64(i) AS h, now64(3, 'UTC') - toIntervalMillisecond(h % 2592000000) AS sent,
    200 + h % 30000 AS d, 5000 + intHash64(i + 7) % 3600000 AS r
FROM numbers({first}, {count})
"""
_STATUSES = (
    ("SENT", "", "1", "sent", "NONE", "NONE"),
    ("DELIVERED", "SENT", "h % 10 < 9", "sent + toIntervalMillisecond(d)", "d", "NONE"),
    ("READ", "DELIVERED", "h % 10 < 6", "sent + toIntervalMillisecond(d + r)", "NONE", "r"),
)
_TRANSITIONS = """
INSERT INTO transitions_log (org_id, channel_id, session_id, message_id, old_status, new_status, updated_time,
    event_time, received_time, time_source, implied, out_of_order, contradiction, sent_to_delivered_ms,
    delivered_to_read_ms, raw_partition, raw_offset)
SELECT org_id, channel_id, session_id, message_id, '{old}', '{new}', {at}, {at}, {at} + INTERVAL 300 MILLISECOND,
    'updated', 0, false, false, {delivered}, {read}, 0, i * 3 + {order} FROM ({made}) WHERE {told}
"""
_WINDOWS = """
INSERT INTO channel_windows_log (org_id, channel_id, window_start, sent, delivered, read, sent_to_delivered_sketch,
    delivered_to_read_sketch, version)
SELECT org_id, channel_id, toDateTime64(toStartOfMinute(updated_time), 3, 'UTC') AS minute,
    countIf(new_status = 'SENT'), countIf(new_status = 'DELIVERED'), countIf(new_status = 'READ'),
    sumMapIf(map(toUInt16(1 + ceil(log(greatest(1, sent_to_delivered_ms)) / log(1.01 / 0.99))), toUInt64(1)),
        new_status = 'DELIVERED'),
    sumMapIf(map(toUInt16(1 + ceil(log(greatest(1, delivered_to_read_ms)) / log(1.01 / 0.99))), toUInt64(1)),
        new_status = 'READ'),
    1
FROM transitions_log WHERE org_id = '106553778' GROUP BY org_id, channel_id, minute
"""
_ALERTS = """
INSERT INTO alerts_log (alert_id, rule, state, followup, org_id, channel_id, session_id, message_id, due_time,
    opened_time, resolved_time)
SELECT concat('stuck_in_sent:', org_id, ':', message_id), 'stuck_in_sent', if(h % 1000 = 0, 'open', 'resolved'), false,
    org_id, channel_id, session_id, message_id, sent + INTERVAL 15 MINUTE, sent + INTERVAL 15 MINUTE,
    if(h % 1000 = 0, toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), sent + INTERVAL 20 MINUTE)
FROM ({made}) WHERE h % 50 = 0
"""
_NONE = "-9223372036854775808"


async def fill(clickhouse: HttpClickHouse, messages: int) -> None:
    """Make messages of the last 30 days on 12 channels, and their windows."""
    for first in range(0, messages, STEP):
        made = _MADE.format(first=first, count=min(STEP, messages - first))
        for order, (new, old, told, at, delivered, read) in enumerate(_STATUSES):
            latencies = {"delivered": delivered.replace("NONE", _NONE), "read": read.replace("NONE", _NONE)}
            await clickhouse.command(
                _TRANSITIONS.format(made=made, new=new, old=old, told=told, at=at, order=order, **latencies)
            )
        await clickhouse.command(_ALERTS.format(made=made))
    await clickhouse.command(_WINDOWS)


async def overview(url: str) -> dict[str, list[float]]:
    """Return seconds of answers: the first, those worked out anew, those shown again."""
    found: dict[str, list[float]] = {"first, nothing known yet": [], "worked out anew": [], "shown again": []}
    async with aiohttp.ClientSession() as session:

        async def ask() -> tuple[float, str]:
            began = time.perf_counter()
            async with session.get(f"{url}/api/overview?org=106553778") as answer:
                content = await answer.json()
            return time.perf_counter() - began, content["rates"]["state"]

        found["first, nothing known yet"].append((await ask())[0])
        began = time.perf_counter()
        while (await ask())[1] == "computing":  # noqa: ASYNC110 -- the other process has no event of ours
            await asyncio.sleep(1)
        found["rates of all messages, in the background"] = [time.perf_counter() - began]
        for _ in range(ASKED):
            await asyncio.sleep(2.2)
            found["worked out anew"].append((await ask())[0])
            found["shown again"].append((await ask())[0])
    return found


class Turn(NamedTuple):
    """How fast records came through, and what each role did for it."""

    records_per_s: float
    seconds: float
    cpu: dict[str, float]
    """CPU seconds by role."""


async def pipeline(stack: Stack, clickhouse: HttpClickHouse, seed: int) -> Turn:
    """Send records through the raw topic until their rows are in ClickHouse."""
    before = await _stored(clickhouse)
    traffic = Traffic(now_ms=now_ms(), messages=RECORDS, seed=seed)
    made = list(islice(events(traffic), RECORDS))
    spent, began = _cpu(stack), time.perf_counter()
    loaded = await load(stack.kafka_bootstrap, iter(made))
    while await _stored(clickhouse) < before + loaded:  # noqa: ASYNC110 -- the warehouse has no event of ours
        await asyncio.sleep(0.1)
    seconds = time.perf_counter() - began
    return Turn(loaded / seconds, seconds, {name: cpu - spent[name] for name, cpu in _cpu(stack).items()})


def _cpu(stack: Stack) -> dict[str, float]:
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in stack.pids().items()}


async def _stored(clickhouse: HttpClickHouse) -> int:
    (row,) = await clickhouse.rows("SELECT toInt32(count()) AS n FROM raw_events_log")
    return int(row["n"])


@asynccontextmanager
async def looked_at(url: str, viewers: int) -> AsyncIterator[None]:
    """Keep pages open from a process of its own while the context lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.dashboard", "--look", url, str(viewers)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def look(url: str, viewers: int) -> None:
    """Be so many open pages; says so once all have their stream."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0

    async def stream(opened: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while await reader.read(1 << 16):
            opened.set()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while True:
            await asyncio.sleep(PAGE_S * random.uniform(0.5, 1.5))  # noqa: S311 -- no secret
            writer.write(b"GET /api/overview HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))

    opened = [asyncio.Event() for _ in range(viewers)]
    async with asyncio.TaskGroup() as group:
        for each in opened:
            group.create_task(stream(each))
            group.create_task(ask())
        await asyncio.gather(*(each.wait() for each in opened))
        print("open", flush=True)


class Measured(NamedTuple):
    """What was measured: turns with nobody looking and with so many pages open, and the overview on many messages."""

    alone: list[Turn]
    watched: list[Turn]
    viewers: int
    overview: dict[str, list[float]]
    messages: int


async def measure(messages: int = MESSAGES, viewers: int = VIEWERS) -> Measured:
    """Run everything."""
    environ = environ_of(os.environ)
    roles = {"broker", "warehouse", "processor", "sink", "dashboard"}
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        async with Stack(Path(folder), environ=environ, roles=roles) as stack:
            settings = parse({**environ, **stack.environ})
            async with connect(settings, timeout_s=600) as clickhouse:
                await pipeline(stack, clickhouse, seed=99)
                alone, watched = await _side_by_side(stack, clickhouse, viewers)
                await fill(clickhouse, messages)
                # Forget what it knows.
                stack.kill("dashboard")
                await asyncio.sleep(1)
                await stack.wait_ready()
                return Measured(alone, watched, viewers, await overview(stack.dashboard_url), messages)


async def _side_by_side(stack: Stack, clickhouse: HttpClickHouse, viewers: int) -> tuple[list[Turn], list[Turn]]:
    """Take turns, each time the other way first: what else the machine does then weighs on both alike."""
    alone: list[Turn] = []
    watched: list[Turn] = []
    for turn in range(TURNS):
        for looked in (turn % 2 == 1, turn % 2 == 0):
            seed = 2 * turn + looked
            if looked:
                async with looked_at(stack.dashboard_url, viewers):
                    watched.append(await pipeline(stack, clickhouse, seed))
            else:
                alone.append(await pipeline(stack, clickhouse, seed))
    return alone, watched


def report(found: Measured) -> str:
    """Return the tables."""
    return f"{_turns(found)}\n{_times(found.messages, found.overview)}"


def results(found: Measured) -> list[Result]:
    """Return the lines of the plot."""
    turns = {"nobody looks": found.alone, f"{found.viewers} pages open": found.watched}
    rates = [
        Result(name, [turn.records_per_s for turn in each], "records/s", ours=True) for name, each in turns.items()
    ]
    return rates + [Result(f"overview, {name}", took, "s", ours=True) for name, took in found.overview.items()]


def _turns(found: Measured) -> str:
    table = Table("", "nobody looks", f"{found.viewers} pages open", "ratio")
    lines: dict[str, Callable[[Turn], float]] = {"records/s, median": lambda turn: turn.records_per_s}
    lines |= {f"CPU ms a record, {name}": _per_record(name) for name in found.alone[0].cpu}
    for name, take in lines.items():
        one, other = (statistics.median(take(turn) for turn in turns) for turns in (found.alone, found.watched))
        table.add_row(name, f"{one:,.3f}", f"{other:,.3f}", f"{other / one:.2f}" if one else "")
    return _text(table)


def _per_record(name: str) -> Callable[[Turn], float]:
    return lambda turn: 1000 * turn.cpu[name] / (turn.records_per_s * turn.seconds)


def _times(messages: int, found: dict[str, list[float]]) -> str:
    table = Table("overview, ms", "times", "median", "95 %", "longest", title=f"{messages:,} messages")
    for name, seconds in found.items():
        ordered = sorted(1000 * each for each in seconds)
        marks = (statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])
        table.add_row(name, str(len(ordered)), *(f"{mark:,.1f}" for mark in marks))
    return _text(table)


def _text(table: Table) -> str:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 -- to nowhere
    console.print(table)
    return console.export_text()


def main() -> None:
    """Measure, or be the pages."""
    if sys.argv[1:2] == ["--look"]:
        asyncio.run(look(sys.argv[2], int(sys.argv[3])))
        return
    given = [int(text) for text in sys.argv[1:]]
    print(report(asyncio.run(measure(*given))))


if __name__ == "__main__":
    main()
