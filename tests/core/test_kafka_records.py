"""What plain records and quick compression rely on in aiokafka: fails loudly when a new release moves it."""

from __future__ import annotations

import inspect

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.codec import lz4_decode
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record._crecords import default_records

from core import kafka_records
from core.kafka_records import as_it_is, quick_lz4, use_plain_records, use_quick_lz4
from schemas import topics


def test_the_hook_is_where_it_was() -> None:
    assert list(inspect.signature(fetcher.PartitionRecords._consumer_record).parameters)[1:] == ["tp", "record"]
    assert "self._consumer_record(tp, record)" in inspect.getsource(fetcher.PartitionRecords._unpack_records)
    assert "self._key_deserializer = key_deserializer" in inspect.getsource(fetcher.PartitionRecords.__init__)
    assert "records = MemoryRecords(part_data" in inspect.getsource(fetcher.Fetcher._proc_fetch_request)


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


def test_batches_are_compressed_by_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[bytes] = []

    def noted(payload: bytes) -> bytes:
        frames.append(quick_lz4(payload))
        return frames[-1]

    monkeypatch.setattr(default_records, "lz4_encode", default_records.lz4_encode)  # as it is again afterwards
    monkeypatch.setattr(kafka_records, "quick_lz4", noted)
    use_quick_lz4()
    text = b"".join(b"%d is not %d; " % (number, number * 7919) for number in range(2000))
    builder = BatchBuilder(1 << 20, 3, is_transactional=False)
    builder.append(timestamp=1, key=None, value=text)
    builder.close()
    assert bytes(builder._build()).endswith(frames[0])
    assert text in lz4_decode(frames[0])
