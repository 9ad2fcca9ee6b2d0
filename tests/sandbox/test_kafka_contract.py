"""What the project needs of a Kafka, held against the sandbox's broker and one in a container alike."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from core.errors import ConfigError
from core.kafka import TopicSpec, create_topics

WITHIN_S = 30.0


async def _topic(bootstrap: str, partitions: int = 2, **config: str) -> str:
    name = f"contract.{uuid4().hex}"
    await create_topics(bootstrap, [TopicSpec(name, config=config)], partitions=partitions, replication=1)
    return name


async def test_idempotent_producer_and_headers(any_kafka: str) -> None:
    """An idempotent producer's compressed batches come back whole, in order, with headers and times."""
    topic = await _topic(any_kafka)
    async with AIOKafkaProducer(
        bootstrap_servers=any_kafka, enable_idempotence=True, acks="all", compression_type="lz4"
    ) as producer:
        sent = [
            await producer.send(topic, b"%d" % i, key=b"k", partition=1, timestamp_ms=1000 + i, headers=[("org", b"7")])
            for i in range(1000)
        ]
        await asyncio.gather(*sent)
    async with AIOKafkaConsumer(bootstrap_servers=any_kafka, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 1)])
        records = [await asyncio.wait_for(consumer.getone(), WITHIN_S) for _ in range(1000)]
    assert [record.value for record in records] == [b"%d" % i for i in range(1000)]
    assert [record.offset for record in records] == list(range(1000))
    assert records[5].timestamp == 1005
    assert records[5].headers == (("org", b"7"),)


async def test_a_group_goes_on_where_it_committed(any_kafka: str) -> None:
    """A consumer group's next member starts at the committed offset."""
    topic = await _topic(any_kafka, partitions=1)
    async with AIOKafkaProducer(bootstrap_servers=any_kafka) as producer:
        for i in range(10):
            await producer.send_and_wait(topic, b"%d" % i, partition=0)
    options = {"bootstrap_servers": any_kafka, "group_id": topic, "enable_auto_commit": False}
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **options) as first:
        for _ in range(4):
            await asyncio.wait_for(first.getone(), WITHIN_S)
        await first.commit({TopicPartition(topic, 0): 4})
    async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **options) as second:
        record = await asyncio.wait_for(second.getone(), WITHIN_S)
    assert record.offset == 4


async def test_topics_are_created_once(any_kafka: str) -> None:
    """Creating topics again changes nothing; another number of partitions is refused with its fix."""
    name = await _topic(any_kafka, partitions=3, **{"cleanup.policy": "compact"})
    again = await create_topics(any_kafka, [TopicSpec(name)], partitions=3, replication=1)
    assert again == {name: 3}
    with pytest.raises(ConfigError, match="RAW_PARTITIONS=3"):
        await create_topics(any_kafka, [TopicSpec(name)], partitions=4, replication=1)


@pytest.mark.stack
async def test_a_misspelt_topic_does_not_appear(kafka: str) -> None:
    """The sandbox's broker creates no topic because somebody named it."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        with suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(producer.partitions_for("im.evnts.raw"), 1)
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        assert "im.evnts.raw" not in await consumer.topics()
