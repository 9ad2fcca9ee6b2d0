"""How fast the product's own processor role works, against baselines that read the same records in the same run.

`python -m bench.processor [RECORDS]`: a broker of its own, RECORDS simulated receipts (10 % told twice) straight in the
raw topic; then each way has its turn, ROUNDS times: a bare aiokafka loop that only reads, a bare confluent-kafka loop
and a canonical Faust agent with the rule alone, and `receipts processor` with everything on, until its last commit.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from core.clock import now_ms
from core.kafka import client_options
from sandbox.demo.run import environ_of
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from sandbox.stack import Stack
from schemas import topics

RECORDS = 500_000
SPAN_MS = 10 * 60_000
"""Live traffic: a backfill would find an expired alert on every message."""
CANONICAL_RECORDS = 30_000
ROUNDS = 2
READING = "aiokafka, reading only"
CONFLUENT = "confluent-kafka, the rule alone"
CANONICAL = "canonical Faust, the rule alone"
OURS = "receipts processor, everything on"
POLL_S = 0.02
PATIENCE_S = 600.0


async def measure(records: int) -> dict[str, list[dict[str, float]]]:
    """Return records, seconds and CPU seconds of each round of each way."""
    found: dict[str, list[dict[str, float]]] = {READING: [], CONFLUENT: [], CANONICAL: [], OURS: []}
    for _ in range(ROUNDS):
        for name, result in (await _round(records)).items():
            found[name].append(result)
    return found


async def _round(records: int) -> dict[str, dict[str, float]]:
    """Let each way have its turn on a broker of its own."""
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        environ = environ_of(os.environ)
        async with Stack(Path(folder), environ=environ, roles={"broker"}) as stack:
            kafka = stack.kafka_bootstrap
            traffic = Traffic(now_ms=now_ms(), messages=records, duplicates=0.1, siblings=False, span_ms=SPAN_MS)
            loaded = await load(kafka, islice(events(traffic), records))
            return {
                READING: await _baseline("bare", kafka, loaded),
                CONFLUENT: await _baseline("confluent", kafka, loaded),
                CANONICAL: await _baseline("canonical", kafka, min(loaded, CANONICAL_RECORDS)),
                OURS: await _role({**environ, **stack.environ, "STATE_DIR": folder}, kafka, loaded),
            }


async def _baseline(name: str, bootstrap: str, records: int) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.{name}", bootstrap, str(records)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: dict[str, float] = json.loads(output)
    return found


async def _role(environ: dict[str, str], bootstrap: str, records: int) -> dict[str, float]:
    """Run the role; the clock runs from just before its first transition to the commit of the last record."""
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    output = AIOKafkaConsumer(topics.TRANSITIONS, **client_options(bootstrap))
    await admin.start()
    await output.start()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli.main", "processor", env=environ)
    try:
        watched = psutil.Process(process.pid)
        started, cpu, begun = time.perf_counter(), 0.0, False
        deadline = started + PATIENCE_S
        while (committed := await _committed(admin)) < records:
            if process.returncode is not None or time.perf_counter() > deadline:
                raise SystemExit(f"the processor committed {committed} of {records} records, then no more")
            if not begun and not (begun := await _published(output)):
                started, cpu = time.perf_counter(), _cpu(watched)
            await asyncio.sleep(POLL_S)
        return {"records": records, "seconds": time.perf_counter() - started, "cpu_seconds": _cpu(watched) - cpu}
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await output.stop()
        await admin.close()


async def _committed(admin: Any) -> int:
    try:
        offsets = await admin.list_consumer_group_offsets(topics.APP_ID)
    except GroupCoordinatorNotAvailableError:  # no group has ever been on this broker
        return 0
    return sum(max(0, at.offset) for partition, at in offsets.items() if partition.topic == topics.RAW)


async def _published(output: AIOKafkaConsumer) -> bool:
    """Tell whether the processor has published anything yet."""
    ends = await output.end_offsets(output.assignment())
    return any(ends.values())


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def report(results: dict[str, list[dict[str, float]]]) -> str:
    """Return a line for each way: its best round, and what ours is to it."""

    def rate(found: dict[str, float]) -> float:
        return found["records"] / found["seconds"]

    ours = max(map(rate, results[OURS]))
    lines = []
    for name, rounds in results.items():
        best = max(rounds, key=rate)
        rates = " ".join(f"{rate(found):,.0f}" for found in rounds)
        cpu = best["cpu_seconds"] / best["records"] * 1e6
        lines.append(f"{name:<34} {rates:>18} events/s {cpu:>7.1f} CPU s per million   ours is {ours / rate(best):.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS))))
