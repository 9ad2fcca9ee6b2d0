"""`receipts lag`: what is told of groups that have come some way."""

from __future__ import annotations

import json

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from core.clock import now_ms
from core.kafka import TopicSpec, create_topics
from core.lag import Lag, measure
from tests.stack import run

TOPIC = "lag-test"
GROUP = "receipts-lag-test"


def test_a_partition_never_committed_and_one_whose_records_are_gone_count_what_is_kept() -> None:
    a, b, c, other = (TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("t", 2), TopicPartition("u", 0))
    begins = {a: 0, b: 5, c: 50, other: 0}
    ends = {a: 10, b: 20, c: 60, other: 9}
    assert measure("g", {a: 10, c: 30}, begins, ends) == [
        Lag("g", "t", 0, 10, 10, 0),
        Lag("g", "t", 1, 20, None, 15),
        Lag("g", "t", 2, 60, 30, 10),
    ]


@pytest.mark.stack
async def test_lag_tells_end_commit_and_the_age_of_what_waits(kafka: str) -> None:
    await create_topics(kafka, [TopicSpec(TOPIC)], partitions=2, replication=1)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number in range(5):
            received = str(now_ms() - 60_000).encode()
            await producer.send_and_wait(TOPIC, b"%d" % number, partition=0, headers=[("received", received)])
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=GROUP, enable_auto_commit=False) as consumer:
        parts = [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)]
        consumer.assign(parts)
        await consumer.commit({parts[0]: 3, parts[1]: 0})
    environ = {"KAFKA_BOOTSTRAP_SERVERS": kafka}
    done = run("lag", "--json", environ=environ)
    assert done.returncode == 0, done.stderr
    first, second = (row for row in json.loads(done.stdout) if row["group"] == GROUP)
    age = first.pop("age_ms")
    assert first == {"group": GROUP, "topic": TOPIC, "partition": 0, "end": 5, "committed": 3, "lag": 2}
    assert 60_000 <= age < 120_000
    assert (second["lag"], second["age_ms"]) == (0, None)
    told = run("lag", environ=environ).stdout
    assert next(line.split()[:6] for line in told.splitlines() if GROUP in line) == [GROUP, TOPIC, "0", "5", "3", "2"]


def test_without_a_kafka_lag_says_what_to_set(tmp_path: object) -> None:
    done = run("lag", "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert "Set KAFKA_BOOTSTRAP_SERVERS" in done.stderr
