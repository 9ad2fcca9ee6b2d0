"""The baseline for the processor: Quix Streams with its own state and changelog, the rule alone.

Run with the interpreter of bench.peers: `python -m bench.quix BOOTSTRAP RECORDS` prints one JSON object:
records, seconds, cpu_seconds.
"""

from __future__ import annotations

import json
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any

from quixstreams import Application, State, message_context

from bench.rule import PRODUCER, receipt, tell
from schemas import topics

NAME = "bench-quix"
STATE = "known"
STATE_BYTES = 48


def measure(bootstrap: str, wanted: int, folder: str) -> dict[str, float]:
    """Run until `wanted` records are done, and what they made is acknowledged and committed."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{NAME}-{time.time_ns()}",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
        producer_extra_config=PRODUCER,
    )
    raw = app.topic(topics.RAW, key_deserializer="bytes", value_deserializer="bytes")
    output = app.topic(f"{NAME}-transitions", key_serializer="bytes", value_serializer="bytes")
    seen, started, cpu = 0, 0.0, 0.0

    def decide(value: bytes, _key: Any, _timestamp: int, headers: Any, state: State) -> bytes | None:
        nonlocal seen, started, cpu
        if not seen:
            started, cpu = time.perf_counter(), time.process_time()
        seen += 1
        if seen == wanted:
            app.stop()
        event = receipt(value)
        if event is None:
            return None
        known, context = int.from_bytes(state.get_bytes(STATE, b""), "big"), message_context()
        told = tell(event, headers, known, context.partition, context.offset)
        if told is None:
            return None
        state.set_bytes(STATE, told.known.to_bytes(STATE_BYTES, "big"))
        return told.transition

    rows = app.dataframe(raw).apply(decide, stateful=True, metadata=True)
    rows.filter(lambda row: row is not None).to_topic(output)
    app.run()
    return {"records": seen, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    with TemporaryDirectory(prefix="receiptstream-bench-") as own:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), own)))
