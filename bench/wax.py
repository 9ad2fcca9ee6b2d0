"""The baseline for the processor: Bytewax with recovery, the rule alone.

Run with the interpreter of bench.peers: `python -m bench.wax BOOTSTRAP` reads the raw topic to its end and
prints one JSON object: records, seconds, cpu_seconds.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.rule import PRODUCER, receipt, tell
from schemas import topics

NAME = "bench-bytewax"


def measure(bootstrap: str, folder: Path) -> dict[str, float]:
    """Run to the end of the raw topic."""
    seen, started, cpu = 0, 0.0, 0.0

    def decide(known: int | None, message: KafkaSourceMessage) -> tuple[int, bytes | None]:
        nonlocal seen, started, cpu
        if not seen:
            started, cpu = time.perf_counter(), time.process_time()
        seen += 1
        event = receipt(message.value)
        told = event and tell(event, message.headers, known or 0, message.partition, message.offset)
        return (told.known, told.transition) if told else (known or 0, None)

    flow = Dataflow(NAME)
    raw = op.input("raw", flow, KafkaSource([bootstrap], [topics.RAW], tail=False, batch_size=10_000))
    keyed = op.key_on("message", raw, lambda message: message.key.decode())
    rows = op.stateful_map("rule", keyed, decide)
    sent = op.filter_map("applied", rows, lambda row: KafkaSinkMessage(row[0].encode(), row[1]) if row[1] else None)
    op.output("transitions", sent, KafkaSink([bootstrap], f"{NAME}-transitions", PRODUCER))
    init_db_dir(folder, 1)
    cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(folder))
    return {"records": seen, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    with TemporaryDirectory(prefix="receiptstream-bench-") as own:
        print(json.dumps(measure(sys.argv[1], Path(own))))
