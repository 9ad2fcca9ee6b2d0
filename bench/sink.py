"""How fast the product's own sink role stores records, against baselines on the same records in the same run.

`python -m bench.sink [RECORDS]`: a broker and a ClickHouse engine of its own, RECORDS transitions in their topic, then
as many raw events. Each way has its turn, ROUNDS times, in a database of its own with all tables and views:

- the same bytes inserted without Kafka, ROWS rows an insert, as many at once as the sink has;
- ClickHouse's own Kafka engine, pulled by INSERT … SELECT, ROWS rows a block, in a process of its own: an older
  release, for the engine of the sandbox has no consumer that works without a server;
- `receipts sink`, from its assignment to the commit of the last record.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from bench import peers
from bench.output import Result
from core import logs
from core.clickhouse import HttpClickHouse, connect
from core.clock import now_ms
from core.kafka import client_options, create_topics
from core.settings import Settings, parse
from sandbox.demo.run import environ_of
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from sandbox.stack import Stack
from schemas import topics
from sinks.doctor_groups import committed_by
from sinks.migrate import migrate, released
from sinks.rows import TARGETS
from sinks.worker import AT_ONCE, GROUP

RECORDS = 1_500_000
ROUNDS = 3
ROWS = 50_000
CHUNK = 20_000
PATIENCE_S = 300.0
POLL_S = 0.02
INSERT = "the same bytes inserted without Kafka"
ENGINE = "ClickHouse's own Kafka engine"
OURS = "receipts sink"
T = TypeVar("T")
WHAT = {"transitions": topics.TRANSITIONS, "raw events": topics.RAW}
"""What is stored, and from which topic."""


class Way(NamedTuple):
    """One turn: rows stored, and what it took. `error` says why there was none."""

    rows: int
    seconds: float
    cpu_seconds: float = 0.0
    """Of the sink itself."""
    engine_cpu_seconds: float = 0.0
    """Of ClickHouse; a way with an engine of its own tells it."""
    error: str = ""


Results = dict[str, dict[str, list[Way]]]


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into runs of `size`; the last may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def transition(number: int, moment: bytes) -> bytes:
    """Return a row as processors publish it."""
    channel, session, took = 4080 + number % 12, number // 6, 900 + number % 30_000
    return (
        b'{"org_id":"106553778","channel_id":"5000700000000%d","session_id":"7%d","message_id":"5000700%012d",'
        b'"old_status":"SENT","new_status":"DELIVERED","updated_time":"%b","event_time":null,"received_time":"%b",'
        b'"time_source":"updated","implied":0,"out_of_order":false,"contradiction":false,'
        b'"sent_to_delivered_ms":%d,"delivered_to_read_ms":null,"raw_partition":%d,"raw_offset":%d}'
        % (channel, session, number, moment, moment, took, number % 4, number)
    )


async def measure(records: int = RECORDS) -> Results:
    """Run every way ROUNDS times for each kind of record."""
    found: Results = {what: {INSERT: [], ENGINE: [], OURS: []} for what in WHAT}
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = environ_of(os.environ)
        async with Stack(Path(folder), environ=environ, roles={"broker", "warehouse"}) as stack:
            settings = parse({**environ, **stack.environ, "STATE_DIR": folder})
            for what, topic in WHAT.items():
                # Other topics are empty, so that nothing else is stored meanwhile.
                await _fill(settings, topic, records)
                engine = psutil.Process(stack.pids()["warehouse"])
                for _ in range(ROUNDS):
                    for name, way in ((INSERT, _insert), (ENGINE, _engine), (OURS, _ours)):
                        cpu = _cpu(engine)
                        result = await way(settings, topic)
                        used = result.engine_cpu_seconds or _cpu(engine) - cpu
                        found[what][name].append(result._replace(engine_cpu_seconds=used))
                await _empty(settings, topic)
    return found


async def _fill(settings: Settings, topic: str, records: int) -> None:
    await create_topics(settings.kafka_bootstrap_servers, topics.specs(settings), partitions=4, replication=1)
    if topic == topics.RAW:
        traffic = Traffic(now_ms=now_ms(), messages=records, duplicates=0.1, siblings=False)
        await load(settings.kafka_bootstrap_servers, islice(events(traffic), records))
        return
    moment = b"2026-11-23T10:00:00.123Z"
    async with AIOKafkaProducer(**client_options(settings.kafka_bootstrap_servers), acks="all") as producer:
        for chunk in batched(range(records), CHUNK):
            for partition in range(4):
                batch = producer.create_batch()
                for number in chunk:
                    value = transition(number, moment)
                    if number % 4 != partition:
                        continue
                    if batch.append(key=b"%d" % number, value=value, timestamp=None) is None:
                        await producer.send_batch(batch, topic, partition=partition)
                        batch = producer.create_batch()
                        batch.append(key=b"%d" % number, value=value, timestamp=None)
                await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()


async def _empty(settings: Settings, topic: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings.kafka_bootstrap_servers))
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()


# --- the ways -----------------------------------------------------------------------------------------------------


async def _tables(settings: Settings) -> Settings:
    """Make a database with all tables and views; return settings that name it."""
    name = f"bench_{time.monotonic_ns()}"
    own = settings.model_copy(update={"clickhouse_database": name})
    async with connect(own, database="default") as server, connect(own) as clickhouse:
        await server.command(f"CREATE DATABASE {name}")
        await migrate(clickhouse, released())
    return own


async def _drop(settings: Settings) -> None:
    async with connect(settings, database="default") as server:
        await server.command(f"DROP DATABASE {settings.clickhouse_database}")


async def _insert(settings: Settings, topic: str) -> Way:
    own = await _tables(settings)
    lines = [line async for line in _lines(settings, topic)]
    bodies = [b"\n".join(chunk) for chunk in batched(lines, ROWS)]
    table, slots = TARGETS[topic].table, asyncio.Semaphore(AT_ONCE)

    async def one(clickhouse: HttpClickHouse, number: int, body: bytes) -> None:
        async with slots:
            await clickhouse.insert(table, body, token=f"bench-{number}")

    async with connect(own, timeout_s=PATIENCE_S) as clickhouse:
        started = time.perf_counter()
        await asyncio.gather(*(one(clickhouse, number, body) for number, body in enumerate(bodies)))
        seconds = time.perf_counter() - started
    await _drop(own)
    return Way(len(lines), seconds)


async def _lines(settings: Settings, topic: str) -> Any:
    """Yield the lines that the sink makes of a topic."""
    consumer = AIOKafkaConsumer(topic, **client_options(settings.kafka_bootstrap_servers), auto_offset_reset="earliest")
    make = TARGETS[topic].line
    async with consumer:
        parts = sorted(consumer.assignment())
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield make(record, record.partition)


async def _engine(settings: Settings, topic: str) -> Way:
    """Let ClickHouse's own engine pull the topic into the same tables (bench/pulled.py)."""
    if topic != topics.TRANSITIONS:
        return Way(0, 0.0, error="the engine cannot make the row of a raw event: it has headers and an exact text")
    try:
        python = await asyncio.to_thread(peers.interpreter)
    except peers.PeersMissingError as error:
        return Way(0, 0.0, error=str(error))
    total = sum((await _ends(settings, topic)).values())
    arguments = (settings.kafka_bootstrap_servers, topic, str(total), str(ROWS))
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "bench.pulled", *arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found = json.loads(output)
    return Way(found["rows"], found["seconds"], engine_cpu_seconds=found["engine_cpu_seconds"])


async def _ours(settings: Settings, topic: str) -> Way:
    """Run the role; the clock runs from its assignment to the commit of the last record."""
    own = await _tables(settings)
    ends = await _ends(settings, topic)
    environ = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": own.kafka_bootstrap_servers,
        "CLICKHOUSE_URL": own.clickhouse_url,
        "CLICKHOUSE_DATABASE": own.clickhouse_database,
        "METRICS_PORT": "0",
        "TZ": "UTC",
    }
    admin = AIOKafkaAdminClient(**client_options(own.kafka_bootstrap_servers))
    await admin.start()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "sink"), env=environ, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    watched = psutil.Process(process.pid)
    try:
        while b'"assigned"' not in (line := await process.stderr.readline()):
            assert line, "the sink ended"
        started, cpu = time.perf_counter(), _cpu(watched)
        draining = asyncio.create_task(process.stderr.read())
        while True:
            committed = await committed_by(admin, GROUP)
            if all(committed.get(part, 0) >= end for part, end in ends.items()):
                break
            if time.perf_counter() - started > PATIENCE_S:
                raise SystemExit("the sink does not come to an end")
            await asyncio.sleep(POLL_S)
        way = Way(sum(ends.values()), time.perf_counter() - started, _cpu(watched) - cpu)
        process.terminate()
        await draining
        return way
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await admin.close()
        await _rewind(own, list(ends))
        await _drop(own)


async def _ends(settings: Settings, topic: str) -> dict[Any, int]:
    consumer = AIOKafkaConsumer(topic, **client_options(settings.kafka_bootstrap_servers))
    async with consumer:
        found: dict[Any, int] = await consumer.end_offsets(sorted(consumer.assignment()))
        return found


async def _rewind(settings: Settings, parts: list[Any]) -> None:
    """Let the sinks' group begin anew."""
    consumer = AIOKafkaConsumer(
        **client_options(settings.kafka_bootstrap_servers), group_id=GROUP, enable_auto_commit=False
    )
    async with consumer:
        consumer.assign(parts)
        await consumer.commit(dict.fromkeys(parts, 0))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# --- the report ---------------------------------------------------------------------------------------------------


def report(results: Results) -> str:
    """Return a line for each way: its rounds, and ours to it as the median of the rounds' ratios."""
    return "\n".join(line for what, ways in results.items() for line in _table(what, ways))


def _table(what: str, ways: dict[str, list[Way]]) -> Iterator[str]:
    ours = ways[OURS]
    for name, rounds in ways.items():
        if rounds[0].error:
            yield f"{what:<12} {name:<40} {rounds[0].error}"
            continue
        rates = " ".join(f"{each.rows / each.seconds:>9,.0f}" for each in rounds)
        ratios = sorted(_ratios(ours, rounds))
        cpu = min(each.cpu_seconds / each.rows * 1e6 for each in rounds)
        engine = min(each.engine_cpu_seconds / each.rows * 1e6 for each in rounds)
        spread = f"ours is {ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        yield f"{what:<12} {name:<38} {rates} rows/s  CPU s a million: {cpu:4.1f}, engine {engine:4.1f}  {spread}"


def results(found: Results) -> list[Result]:
    """Return the lines of the plot."""
    return [
        Result(f"{what}: {name}", [each.rows / each.seconds for each in rounds], "rows/s", ours=name == OURS)
        for what, ways in found.items()
        for name, rounds in ways.items()
        if not rounds[0].error
    ]


def _ratios(ours: Sequence[Way], others: Sequence[Way]) -> Iterator[float]:
    for mine, other in zip(ours, others, strict=True):
        yield (mine.rows / mine.seconds) / (other.rows / other.seconds)


if __name__ == "__main__":
    logs.configure("bench", level="ERROR")
    print(report(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS))))
