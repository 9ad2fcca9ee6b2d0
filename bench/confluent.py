"""The baseline for the processor: a bare confluent-kafka loop with the same rule, state in a dictionary, and outputs.

`python -m bench.confluent BOOTSTRAP RECORDS` prints one JSON object: records, seconds, cpu_seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import orjson
from confluent_kafka import Consumer, Producer

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
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 20})
    consumer.subscribe([topics.RAW])
    state: dict[bytes, dict[str, tuple[str, int]]] = {}
    seen, started, cpu = 0, 0.0, 0.0
    while seen < wanted:
        messages = consumer.consume(10_000, 0.5)
        if messages and not seen:
            started, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            event = orjson.loads(message.value())
            payload = event["payload"]
            told = payload["messageNewStatus"]
            key, status = message.key(), told["status"]
            known = state.get(key)
            if known is None:
                known = state[key] = {}
            if status in known:
                continue
            time_, offset, partition = told.get("updatedTime"), message.offset(), message.partition()
            known[status] = (time_, offset)
            row = {"message_id": payload["messageId"], "channel_id": payload["channelId"], "new_status": status}
            producer.produce(OUTPUT, orjson.dumps(row), key, partition)
            producer.produce(CHANGELOG, orjson.dumps([time_, offset]), key + status.encode(), partition)
        producer.poll(0)
        seen += len(messages)
    producer.flush()
    consumer.commit(asynchronous=False)
    found = {"records": seen, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    consumer.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
