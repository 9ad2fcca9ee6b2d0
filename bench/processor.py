"""How fast the product's own processor role works, against baselines that read the same records in the same run.

`python -m bench.processor [RECORDS]`: a broker of its own, RECORDS simulated receipts (10 % told twice) straight in the
raw topic; then each way has its turn, ROUNDS times: a bare aiokafka loop that only reads; with the rule alone a bare
confluent-kafka loop, Quix Streams, Bytewax and a canonical Faust agent; and `receipts processor` with everything on.
Then canonical Faust and the role are started once more, and read their state from their changelogs. On a second broker
with the same records two processors share the work.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from bench import peers
from bench.output import Result
from core.build import COMPILED
from core.clock import now_ms
from core.kafka import TopicSpec, client_options, create_topics
from sandbox.demo.run import environ_of
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from sandbox.simulator.traffic import Event
from sandbox.stack import Stack
from schemas import topics

RECORDS = 1_000_000
"""So many that there are a dozen commits or more, one a second."""
SPAN_MS = 10 * 60_000
"""Live traffic: a backfill would find an expired alert on every message."""
CANONICAL_RECORDS = 30_000
ROUNDS = 3
READING = "aiokafka, reading only"
CONFLUENT = "confluent-kafka, the rule alone"
QUIX = "Quix Streams, the rule alone"
BYTEWAX = "Bytewax, the rule alone"
CANONICAL = "canonical Faust, the rule alone"
OURS = "receipts processor, everything on"
PLAIN = "receipts processor, everything on, not compiled"
TWO = "two receipts processors, everything on"
REBUILT = "canonical Faust, state rebuilt"
OURS_REBUILT = "receipts processor, state rebuilt"
WAYS = (READING, CONFLUENT, QUIX, BYTEWAX, CANONICAL, OURS, PLAIN, TWO, REBUILT, OURS_REBUILT)
ROOT = Path(__file__).parents[1]
POLL_S = 0.02
PATIENCE_S = 600.0


async def measure(records: int = RECORDS) -> dict[str, list[dict[str, float]]]:
    """Return records, seconds and CPU seconds of each round of each way, and the memory at its end."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, result in (await _round(records)).items():
            found[name].append(result)
    return found


@asynccontextmanager
async def filled(
    told: Iterable[Event], records: int, partitions: int = 4
) -> AsyncIterator[tuple[dict[str, str], str, int]]:
    """Yield a role's environment, Kafka, and how many of the first events are in the raw topic."""
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = {**environ_of(os.environ), "RAW_PARTITIONS": str(partitions)}
        async with Stack(Path(folder), environ=environ, roles={"broker"}) as stack:
            kafka = stack.kafka_bootstrap
            loaded = await load(kafka, islice(told, records))
            yield {**environ, **stack.environ, "STATE_DIR": folder, "METRICS_PORT": "0"}, kafka, loaded


def live(records: int, *, orgs: int = 3, channels: int = 4, span_ms: int = SPAN_MS) -> Traffic:
    """Return traffic of the last minutes with at least so many receipts, one in ten told twice."""
    return Traffic(
        now_ms=now_ms(),
        messages=records,
        orgs=orgs,
        channels=channels,
        duplicates=0.1,
        siblings=False,
        span_ms=span_ms,
    )


async def _round(records: int) -> dict[str, dict[str, float]]:
    """Let each way have its turn."""
    told = list(islice(events(live(records)), records))
    async with filled(told, records) as (environ, kafka, loaded):
        found = {
            READING: await _baseline("bare", kafka, str(loaded)),
            CONFLUENT: await _baseline("confluent", kafka, str(loaded)),
            **await _peers(kafka, loaded),
            CANONICAL: await _baseline("canonical", kafka, str(min(loaded, CANONICAL_RECORDS))),
            OURS: await roles(1, environ, kafka, loaded),
            REBUILT: await _baseline("canonical", kafka, "recover"),
            OURS_REBUILT: await _rebuilt(environ),
        }
    async with filled(told, records) as (environ, kafka, loaded):
        found[TWO] = await roles(2, environ, kafka, loaded)
    if COMPILED:
        async with filled(told, records) as (environ, kafka, loaded):
            found[PLAIN] = await roles(1, sources_of(environ), kafka, loaded)
    return found


async def _peers(kafka: str, loaded: int) -> dict[str, dict[str, float]]:
    """Return what the frameworks did that are installed apart, or nothing where they cannot be had."""
    try:
        python = await asyncio.to_thread(peers.interpreter)
    except peers.PeersMissingError as error:
        print(f"{QUIX}; {BYTEWAX}: {error}")
        return {}
    # They give up on a topic that does not exist yet.
    outputs = [TopicSpec("bench-quix-transitions"), TopicSpec("bench-bytewax-transitions")]
    await create_topics(kafka, outputs, partitions=4, replication=1)
    return {
        QUIX: await _baseline("quix", kafka, str(loaded), python=python),
        BYTEWAX: await _baseline("wax", kafka, python=python),
    }


def sources_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which our packages are the sources as they are, not compiled."""
    return {**environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}


async def _baseline(name: str, *arguments: str, python: str = sys.executable) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", f"bench.{name}", *arguments),
        env=sources_of(os.environ),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    found: dict[str, float] = json.loads(output)
    return found


@asynccontextmanager
async def started(number: int, environ: dict[str, str], bootstrap: str) -> AsyncIterator[tuple[Any, list[Process]]]:
    """Start so many processors; yields a client to ask Kafka with, and them. Ends them."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    arguments = (sys.executable, "-m", "cli.main", "processor")
    processes = [
        await asyncio.create_subprocess_exec(*arguments, env=environ, stderr=asyncio.subprocess.DEVNULL)
        for _ in range(number)
    ]
    try:
        yield admin, processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        await admin.close()


async def roles(number: int, environ: dict[str, str], bootstrap: str, records: int) -> dict[str, float]:
    """Run the role; the clock runs from the first commit of a group in which all are to the last commit but one.

    A processor that joins has to read its state first, and until it has, the others work alone: with several, every
    partition has moved at the first commit that counts. And commits come once a second: the last one waits, with
    nothing left to do, for up to that long.
    """
    async with started(number, environ, bootstrap) as (admin, processes):
        watched = [psutil.Process(process.pid) for process in processes]
        deadline = time.perf_counter() + PATIENCE_S
        begun = ended = None
        partitions = int(environ["RAW_PARTITIONS"]) if number > 1 else 1
        joined: dict[int, int] | None = None
        while (done := sum((commits := await commits_of(admin)).values())) < records:
            if any(process.returncode is not None for process in processes) or time.perf_counter() > deadline:
                raise SystemExit(f"the processor committed {done} of {records} records, then no more")
            if joined is None:
                joined = commits if await _members(admin) == number else None
            elif begun is None and _have_moved(commits, joined, partitions):
                begun = ended = _Moment(done, time.perf_counter(), cpu_of(watched))
            elif ended is not None and done > ended.done:
                ended = _Moment(done, time.perf_counter(), cpu_of(watched))
            await asyncio.sleep(POLL_S)
        if begun is None or ended is None or begun is ended:
            raise SystemExit(f"{records} records are too few: they took less than three commits")
        return {
            "records": ended.done - begun.done,
            "seconds": ended.at - begun.at,
            "cpu_seconds": ended.cpu - begun.cpu,
            "bytes": sum(each.memory_info().rss for each in watched),
        }


class _Moment(NamedTuple):
    """How far the processors had come."""

    done: int
    """Records committed."""
    at: float
    cpu: float
    """CPU seconds used."""


async def _rebuilt(environ: dict[str, str]) -> dict[str, float]:
    """Start the role again, and read from its log how long it took to have its state."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "processor"), env=environ, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        while b'"recovered"' not in (line := await process.stderr.readline()):
            assert line, "the processor ended"
        told = json.loads(line)
        cpu = cpu_of([psutil.Process(process.pid)])
        return {"records": told["records"], "seconds": told["seconds"], "cpu_seconds": cpu}
    finally:
        process.kill()
        await process.communicate()


def _have_moved(commits: Mapping[int, int], since: Mapping[int, int], partitions: int) -> bool:
    """Tell whether so many partitions have moved."""
    return sum(offset > since.get(each, 0) for each, offset in commits.items()) >= partitions


async def committed(admin: Any) -> int:
    """Return how many raw records the processors' group has committed."""
    return sum((await commits_of(admin)).values())


async def commits_of(admin: Any) -> dict[int, int]:
    """Return how many records of each raw partition the processors' group has committed."""
    try:
        offsets = await admin.list_consumer_group_offsets(topics.APP_ID)
    except GroupCoordinatorNotAvailableError:  # no group has ever been on this broker
        return {}
    return {tp.partition: max(0, at.offset) for tp, at in offsets.items() if tp.topic == topics.RAW}


async def _members(admin: Any) -> int:
    """Return how many processors share the work by now; 0 while they are still finding together."""
    try:
        answers = await admin.describe_consumer_groups([topics.APP_ID])
    except GroupCoordinatorNotAvailableError:
        return 0
    # A group is: error code, name, state, protocol type, protocol, members, …
    groups = [group for answer in answers for group in answer.groups]
    return sum(len(group[5]) for group in groups if group[2] == "Stable")


def cpu_of(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def _rate(found: dict[str, float]) -> float:
    return found["records"] / found["seconds"]


def _ratio(found: dict[str, list[dict[str, float]]], ours: str, other: str) -> str:
    """Return the median of the rounds' ratios, with the least and the highest."""
    each = sorted(_rate(mine) / _rate(theirs) for mine, theirs in zip(found[ours], found[other], strict=True))
    return f"{median(each):.2f} ({each[0]:.2f}-{each[-1]:.2f})"


def report(found: dict[str, list[dict[str, float]]]) -> str:
    """Return a line for each way: its rounds, CPU time, memory; and the ratios that count."""
    lines = []
    for name, rounds in found.items():
        if not rounds:
            continue
        rates = " ".join(f"{_rate(each):>9,.0f}" for each in rounds)
        cpu = min(each["cpu_seconds"] / each["records"] * 1e6 for each in rounds)
        memory = f"{rounds[-1]['bytes'] / 2**20:,.0f} MiB" if "bytes" in rounds[-1] else ""
        lines.append(f"{name:<40} {rates} records/s {cpu:>7.1f} CPU s a million {memory:>10}")
    pairs = [(OURS, CONFLUENT), (OURS, QUIX), (OURS, BYTEWAX), (OURS, CANONICAL), (TWO, OURS), (OURS_REBUILT, REBUILT)]
    for ours, other in pairs:
        if found[other]:
            lines.append(f"{ours} to {other}: {_ratio(found, ours, other)}")
    return "\n".join(lines)


def results(found: dict[str, list[dict[str, float]]]) -> list[Result]:
    """Return the lines of the plot."""
    return [
        Result(name, list(map(_rate, rounds)), "records/s", ours=name in {OURS, TWO, OURS_REBUILT})
        for name, rounds in found.items()
        if rounds
    ]


if __name__ == "__main__":
    print(report(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS))))
