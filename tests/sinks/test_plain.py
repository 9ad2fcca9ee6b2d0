"""What reading plain records relies on in aiokafka: fails loudly when a new release moves it."""

from __future__ import annotations

import inspect

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher

from schemas import topics
from sinks.plain import as_it_is, use_plain_records


def test_the_hook_is_where_it_was() -> None:
    assert list(inspect.signature(fetcher.PartitionRecords._consumer_record).parameters)[1:] == ["tp", "record"]
    assert "self._consumer_record(tp, record)" in inspect.getsource(fetcher.PartitionRecords._unpack_records)
    assert "self._key_deserializer = key_deserializer" in inspect.getsource(fetcher.PartitionRecords.__init__)


@pytest.mark.stack
async def test_a_marked_consumer_gets_plain_records_and_others_the_usual_ones(kafka: str) -> None:
    use_plain_records()
    part = TopicPartition(topics.ALERTS, 0)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        sent = await producer.send_and_wait(topics.ALERTS, b"value", key=b"key", partition=0, headers=[("a", b"1")])
    for marked in (True, False):
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, key_deserializer=as_it_is if marked else None)
        async with consumer:
            consumer.assign([part])
            consumer.seek(part, sent.offset)
            record = await consumer.getone()
        assert (record.offset, record.key, record.value) == (sent.offset, b"key", b"value")
        assert [tuple(header) for header in record.headers] == [("a", b"1")]
        assert hasattr(record, "partition") is not marked
