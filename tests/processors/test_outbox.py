"""An outbox by itself; tests/processors/test_batched.py sends them to a real broker."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch

from core.kafka_writer import Batch
from processors.batched import Outbox

NOW = 1_760_000_000_000
LIMIT = 10_000


Kept = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


class Metadata(NamedTuple):
    offset: int


class FakeProducer:
    """Stands for the broker: acknowledges each batch at the offset behind those of its partition before it."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[Kept]] = {}
        self.stamps: set[int] = set()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Metadata]:
        known = self.records.setdefault((topic, partition), [])
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(Metadata(len(known)))
        for record in DefaultRecordBatch(batch._build()):
            known.append((record.key, record.value, record.headers))
            self.stamps.add(record.timestamp)
        return answer


async def test_everything_is_sent_in_order_in_batches_that_are_not_too_large() -> None:
    producer, outbox = FakeProducer(), Outbox(NOW, LIMIT, lz4=True)
    expected: list[Kept] = [(b"%d" % number, b"x" * (number * 7 % 700), []) for number in range(200)]
    expected += [(b"gone", None, []), (None, b"no key", []), (b"headed", b"", [("a", b"1"), ("b", b"")])]
    for key, value, headers in expected:
        outbox.to("t", 1)(key, value, headers)
    outbox.to("t", 2)(b"one", b"more")
    outbox.to("empty", 0)
    told: list[tuple[str, int, int, int]] = []
    await outbox.send(producer, lambda *batch: told.append(batch))
    assert producer.records == {("t", 1): expected, ("t", 2): [(b"one", b"more", [])]}
    assert producer.stamps == {NOW}
    first = [(base, count) for topic, partition, base, count in told if (topic, partition) == ("t", 1)]
    assert len(first) > 5
    assert [base for base, _ in first] == [sum(count for _, count in first[:at]) for at in range(len(first))]
    assert sum(count for _, count in first) == len(expected)
    assert [batch for batch in told if batch[:2] == ("t", 2)] == [("t", 2, 0, 1)]
