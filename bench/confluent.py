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

import msgspec
from confluent_kafka import Consumer, Producer

from core.kafka import TopicSpec, create_topics
from processors import rules
from processors.codec import encode_fact, fact_key
from schemas import topics
from schemas.events import StatusEvent, decode
from schemas.records import Transition
from schemas.times import parse_epoch, parse_iso, to_iso

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
    options = {"acks": "all", "enable.idempotence": True, "linger.ms": 20, "compression.type": "lz4"}
    producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 2_000_000, **options})
    consumer.subscribe([topics.RAW])
    state: dict[str, int] = {}
    encode = msgspec.json.Encoder().encode
    seen, started, cpu = 0, 0.0, 0.0
    while seen < wanted:
        messages = consumer.consume(10_000, 0.5)
        if messages and not seen:
            started, cpu = time.perf_counter(), time.process_time()
        for message in messages:
            event = decode(message.value())
            if not isinstance(event, StatusEvent):
                continue
            time_, rank = parse_iso(event.updated_time), rules.RANKS.get(event.new_status)
            if time_ is None or rank is None:
                continue
            known, offset, partition = state.get(event.message_id, 0), message.offset(), message.partition()
            outcome = rules.decide(known, rank, time_, offset, event.old_status)
            if not isinstance(outcome, rules.Applied):
                continue
            received = int(dict(message.headers())[topics.HEADER_RECEIVED])
            state[event.message_id] = known | rules.pack(time_, offset, received) << rank * rules.FACT_BITS
            event_time = parse_epoch(event.event_time)
            row = Transition(
                event.org_id,
                event.channel_id,
                event.session_id,
                event.message_id,
                event.old_status,
                event.new_status,
                to_iso(time_),
                None if event_time is None else to_iso(event_time),
                to_iso(received),
                "updated",
                outcome.implied,
                outcome.out_of_order,
                outcome.contradiction,
                outcome.sent_to_delivered_ms,
                outcome.delivered_to_read_ms,
                partition,
                offset,
            )
            producer.produce(OUTPUT, encode(row), event.message_id.encode(), partition)
            fact = encode_fact(time_, offset, received, event.channel_id, event.session_id)
            producer.produce(CHANGELOG, fact, fact_key(event.org_id, event.message_id, event.new_status), partition)
        producer.poll(0)
        seen += len(messages)
    producer.flush()
    consumer.commit(asynchronous=False)
    found = {"records": seen, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    consumer.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
