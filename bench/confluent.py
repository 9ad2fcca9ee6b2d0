"""The baseline for the processor: a bare confluent-kafka loop with the same rule, the same state and the same outputs.

It decodes, decides, writes transitions and facts as the product does, with the product's own pure modules, and does
nothing else: no windows, no deadlines, no dead letters, no recovery, no rebalance.

`python -m bench.confluent BOOTSTRAP RECORDS` prints one JSON object: records, seconds, cpu_seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from confluent_kafka import Consumer, Producer

from bench.rule import PRODUCER, receipt, tell
from core.kafka import TopicSpec, create_topics
from schemas import topics

NAME = "bench-confluent"
OUTPUT, CHANGELOG = f"{NAME}-transitions", f"{NAME}-changelog"


def measure(bootstrap: str, wanted: int) -> dict[str, float]:
    """Run until `wanted` events are done, acknowledged and committed."""
    asyncio.run(create_topics(bootstrap, [TopicSpec(OUTPUT), TopicSpec(CHANGELOG)], partitions=4, replication=1))
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{NAME}-{time.time_ns()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 2_000_000, **PRODUCER})
    consumer.subscribe([topics.RAW])
    state: dict[str, int] = {}
    seen, started, cpu = 0, 0.0, 0.0
    while seen < wanted:
        messages = consumer.consume(10_000, 0.5)
        if messages and not seen:
            started, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            event = receipt(message.value())
            if event is None:
                continue
            partition = message.partition()
            known = state.get(event.message_id, 0)
            told = tell(event, message.headers(), known, partition, message.offset())
            if told is None:
                continue
            state[event.message_id] = told.known
            producer.produce(OUTPUT, told.transition, told.key, partition)
            key, value = told.fact
            producer.produce(CHANGELOG, value, key, partition)
        producer.poll(0)
        seen += len(messages)
    producer.flush()
    consumer.commit(asynchronous=False)
    found = {"records": seen, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    consumer.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
