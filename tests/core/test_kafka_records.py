"""What plain records rely on in aiokafka: fails loudly when a new release moves it."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from core import kafka_records
from core.kafka_records import Batches, FetchResult, PartitionRecords, as_it_is, use_plain_records
from schemas import topics

Theirs: Any = kafka_records.PartitionRecords.__bases__[0]


def test_the_hooks_are_where_they_were() -> None:
    assert list(inspect.signature(Theirs._consumer_record).parameters)[1:] == ["tp", "record"]
    unpacking = inspect.getsource(Theirs._unpack_records)
    assert "self._consumer_record(tp, record)" in unpacking
    assert "if record.offset < self.next_fetch_offset:" in unpacking
    assert "self.next_fetch_offset = record.offset + 1" in unpacking
    assert "self._key_deserializer = key_deserializer" in inspect.getsource(Theirs.__init__)
    fetching = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "records = MemoryRecords(part_data" in fetching
    assert "PartitionRecords(" in fetching
    assert "FetchResult(" in fetching
    assert "type(res_or_error) is FetchResult" in inspect.getsource(fetcher.Fetcher.fetched_records)


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


@pytest.mark.stack
@pytest.mark.parametrize("marked", [True, False])
async def test_every_record_comes_once_whatever_is_asked_for_at_a_time(kafka: str, *, marked: bool) -> None:
    use_plain_records()
    part = TopicPartition(topics.ALERTS, 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        first = await producer.send_and_wait(topics.ALERTS, b"0", partition=1)
        for size in (1, 2, 7, 40):
            batch = producer.create_batch()
            for number in range(size):
                batch.append(key=None, value=b"%d of %d" % (number, size), timestamp=None)
            batch.close()
            await (await producer.send_batch(batch, topics.ALERTS, partition=1))
    told = [b"0"] + [b"%d of %d" % (number, size) for size in (1, 2, 7, 40) for number in range(size)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, key_deserializer=as_it_is if marked else None)
    async with consumer:
        consumer.assign([part])
        for begin in (0, 1, 5, 20):  # 5 and 20 are in the middle of a batch
            consumer.seek(part, first.offset + begin)
            found: list[Any] = []
            for most in itertools.cycle((1, 3, 6, None, 100)):
                if len(found) == len(told) - begin:
                    break
                records = (await consumer.getmany(part, timeout_ms=1000, max_records=most)).get(part, [])
                assert most is None or len(records) <= most
                found += records
                assert await consumer.position(part) == found[-1].offset + 1
            assert [record.value for record in found] == told[begin:]
            assert [record.offset for record in found] == [first.offset + begin + at for at in range(len(found))]
        # Whoever goes elsewhere in the middle of a batch gets nothing of what was left of it.
        consumer.seek(part, first.offset + 11)
        assert len((await consumer.getmany(part, timeout_ms=5000, max_records=3))[part]) == 3
        consumer.seek(part, first.offset)
        assert (await consumer.getone(part)).value == b"0"


class Held:
    """A partition as its consumer holds it: where it stands."""

    active, paused = True, False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, _: TopicPartition) -> Held:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def compacted(base: int, kept: tuple[int, ...], last: int) -> bytes:
    """Return a batch that had the offsets `base` to `last`, of which compaction has left some."""
    builder = BatchBuilder(1 << 20, 0, is_transactional=False)._builder
    for offset in kept or (base,):
        builder.append(offset - base, 1, b"key", b"%d" % offset, [])
    batch = bytearray(builder.build())
    if not kept:
        del batch[61:]
        batch[57:61] = bytes(4)
    batch[0:8], batch[23:27] = base.to_bytes(8), (last - base).to_bytes(4)
    batch[8:12] = (len(batch) - 12).to_bytes(4)
    batch[17:21] = calc_crc32c(bytes(batch[21:])).to_bytes(4)
    return bytes(batch)


@pytest.mark.parametrize("begin", range(12))
@pytest.mark.parametrize("most", [1, 2, 4, None])
@pytest.mark.parametrize("marked", [True, False])
def test_what_compaction_has_left_comes_once(begin: int, most: int | None, *, marked: bool) -> None:
    part, held = TopicPartition("t", 0), Held(begin)
    batches = {6: compacted(0, (0, 1, 4), 6), 9: compacted(7, (), 9), 11: compacted(10, (10, 11), 11)}
    # A broker begins with the batch that has the offset.
    data = b"".join(batch for last, batch in batches.items() if last >= begin)
    mark = as_it_is if marked else None
    fetched = PartitionRecords(part, Batches(data), [], begin, mark, None, True, fetcher.READ_COMMITTED)
    result = FetchResult(part, assignment=held, partition_records=fetched, backoff=0)
    found: list[int] = []
    for turn in range(20):
        records = [result.getone()] if most == 1 and turn % 2 else result.getall(most)
        records = [record for record in records if record is not None]
        assert most is None or len(records) <= most
        found += [record.offset for record in records]
        if not result.has_more():
            break
        assert held.position == found[-1] + 1
    assert found == [offset for offset in (0, 1, 4, 10, 11) if offset >= begin]
    assert held.position == 12
