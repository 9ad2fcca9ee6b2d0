"""The baseline for the processor: a canonical Faust agent, one event and one table write at a time.

The same rule in its plainest form: the first record of a status applies and is written as a transition.

`python -m bench.canonical BOOTSTRAP RECORDS` prints one JSON object: records, seconds, cpu_seconds. With `recover`
instead of RECORDS it is started once more, and tells how long its table took to be read from its changelog.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import faust
import orjson
from aiokafka import AIOKafkaConsumer

from core.kafka import TopicSpec, create_topics
from schemas import topics
from schemas.events import decode
from schemas.shapes import StatusEvent

NAME = "bench-canonical"
OUTPUT = f"{NAME}-transitions"


def build(bootstrap: str, partitions: int, wanted: int, done: asyncio.Event, clock: dict[str, float]) -> faust.App:
    """Build the app; `clock` gets the moments of the first and the last event."""
    app = faust.App(
        NAME,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        datadir=Path(tempfile.gettempdir()) / NAME,
        producer_linger=0.02,
    )
    raw = app.topic(topics.RAW, key_type=bytes, value_type=bytes)
    output = app.topic(OUTPUT, key_type=bytes, value_type=bytes)
    state = app.Table("messages", partitions=partitions, key_type=bytes, value_type=bytes)
    seen = 0

    async def run(stream: Any) -> None:
        nonlocal seen
        async for event in stream.events():
            if not seen:
                clock.update(started=time.perf_counter(), cpu=time.process_time())
            seen += 1
            told = decode(event.value)
            if isinstance(told, StatusEvent):
                known = orjson.loads(state.get(event.key) or b"{}")
                if told.new_status not in known:
                    known[told.new_status] = [told.updated_time, event.message.offset]
                    state[event.key] = orjson.dumps(known)
                    row = {"message_id": told.message_id, "channel_id": told.channel_id, "new_status": told.new_status}
                    await output.send(key=event.key, value=orjson.dumps(row))
            if seen >= wanted:
                done.set()

    app.agent(raw)(run)
    return app


async def measure(bootstrap: str, wanted: int, partitions: int = 4) -> dict[str, float]:
    """Run until `wanted` events are done and everything sent is acknowledged."""
    specs = [TopicSpec(OUTPUT), TopicSpec(f"{NAME}-messages-changelog")]
    await create_topics(bootstrap, specs, partitions=partitions, replication=1)
    done, clock = asyncio.Event(), dict[str, float]()
    app = build(bootstrap, partitions, wanted, done, clock)
    app.finalize()
    await app.start()
    await done.wait()
    await app.producer.flush()
    seconds, cpu = time.perf_counter() - clock["started"], time.process_time() - clock["cpu"]
    await app.stop()
    return {"records": wanted, "seconds": seconds, "cpu_seconds": cpu}


async def recover(bootstrap: str, partitions: int = 4) -> dict[str, float]:
    """Run until the table is recovered; the clock is Faust's own, of its recovery alone."""
    app = build(bootstrap, partitions, sys.maxsize, asyncio.Event(), {})
    app.finalize()
    await app.start()
    recovery: Any = app.tables.recovery
    while recovery._recovery_ended_at is None:  # noqa: ASYNC110, SLF001 -- Faust tells nobody
        await asyncio.sleep(0.05)
    seconds = recovery._recovery_ended_at - recovery._recovery_started_at  # noqa: SLF001
    cpu = time.process_time()
    async with AIOKafkaConsumer(f"{NAME}-messages-changelog", bootstrap_servers=bootstrap) as consumer:
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
    await app.stop()
    return {"records": sum(ends.values()), "seconds": seconds, "cpu_seconds": cpu}


if __name__ == "__main__":
    work = recover(sys.argv[1]) if sys.argv[2] == "recover" else measure(sys.argv[1], int(sys.argv[2]))
    print(json.dumps(asyncio.run(work)))
