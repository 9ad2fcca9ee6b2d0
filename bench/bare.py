"""The baseline: a bare aiokafka consumer that reads the raw topic and does nothing with it, in a process of its own.

`python -m bench.bare BOOTSTRAP RECORDS` prints one JSON object: records, seconds, cpu_seconds.
"""

from __future__ import annotations

import json
import sys
import time

import uvloop
from aiokafka import AIOKafkaConsumer

from core.kafka import client_options
from schemas import topics


async def read(bootstrap: str, wanted: int) -> dict[str, float]:
    """Read `wanted` records; the clock runs from the first of them."""
    consumer = AIOKafkaConsumer(topics.RAW, **client_options(bootstrap), auto_offset_reset="earliest")
    await consumer.start()
    started, cpu = time.perf_counter(), time.process_time()
    seen = 0
    try:
        while seen < wanted:
            batches = await consumer.getmany(timeout_ms=1000, max_records=10_000)
            seen += sum(map(len, batches.values()))
        return {
            "records": seen,
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu,
        }
    finally:
        await consumer.stop()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(read(sys.argv[1], int(sys.argv[2])))))
