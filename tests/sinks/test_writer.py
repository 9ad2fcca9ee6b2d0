"""The writer: the same bytes until they are acknowledged, and a refused row does not hold up its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WarehouseRefusedError, WarehouseUnavailableError
from core.settings import parse
from schemas import topics
from sinks.batch import MAX_BYTES, Batch, Buffer, Load
from sinks.rows import Target, Unusable
from sinks.worker import Worker
from sinks.writer import ABOUT_NO_ROW, Writer
from tests.sinks.test_rows import Record


class Warehouse:
    """A ClickHouse that refuses lines with `bad` in them, and is away as often as it is told."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.table_is_well = True
        self.inserted: list[tuple[bytes, str]] = []
        self.tried: list[tuple[bytes, str]] = []

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        self.tried.append((lines, token))
        if self.away:
            self.away -= 1
            raise WarehouseUnavailableError("away")
        if not self.table_is_well:
            self.table_is_well = True
            raise WarehouseRefusedError("no such table")
        if b"bad" in lines:
            raise WarehouseRefusedError("cannot parse")
        self.inserted.append((lines, token))

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        return []

    async def command(self, sql: str) -> None:
        raise AssertionError

    async def ping(self) -> None:
        raise AssertionError


class Parked:
    def __init__(self) -> None:
        self.offsets: list[int] = []

    async def park(self, record: Any, topic: str, partition: int, unusable: Unusable) -> None:
        self.offsets.append(record.offset)


async def no_sleep(_: float) -> None:
    return


def batch_of(*lines: bytes, topic: str = topics.TRANSITIONS, partition: int = 1, first: int = 0) -> Batch:
    records = [Record(line, offset=offset) for offset, line in enumerate(lines, start=first)]
    return Batch(topic, partition, records, lines, [], first, first + len(lines) - 1)


def load_of(*lines: bytes, topic: str = topics.TRANSITIONS) -> Load:
    return Load((batch_of(*lines, topic=topic),))


async def test_a_batch_is_tried_again_with_the_same_bytes_and_token() -> None:
    warehouse = Warehouse(away=3)
    await Writer(warehouse, Parked(), no_sleep).write(load_of(b"a", b"b"))
    assert warehouse.tried == [(b"a\nb", "im.transitions-1-0-1")] * 4
    assert warehouse.inserted == [(b"a\nb", "im.transitions-1-0-1")]


async def test_partitions_are_inserted_together_under_a_token_of_all() -> None:
    warehouse = Warehouse()
    load = Load((batch_of(b"a", b"b"), batch_of(partition=2), batch_of(b"c", partition=3, first=5)))
    await Writer(warehouse, Parked(), no_sleep).write(load)
    assert warehouse.inserted == [(b"a\nb\nc", "im.transitions-1-0-1;im.transitions-3-5-5")]


@given(st.lists(st.lists(st.sampled_from([b"good", b"bad"]), max_size=12), min_size=1, max_size=4))
async def test_every_good_row_is_stored_once_and_every_bad_one_parked(parts: list[list[bytes]]) -> None:
    warehouse, parked = Warehouse(), Parked()
    batches = [batch_of(*lines, partition=number, first=100 * number) for number, lines in enumerate(parts)]
    await Writer(warehouse, parked, no_sleep).write(Load(tuple(batches)))
    every = [(100 * number + place, line) for number, lines in enumerate(parts) for place, line in enumerate(lines)]
    stored = [line for body, _ in warehouse.inserted for line in body.split(b"\n")]
    assert stored == [line for _, line in every if line == b"good"]
    assert parked.offsets == [offset for offset, line in every if line == b"bad"]
    tokens = [token for _, token in warehouse.inserted]
    assert len(tokens) == len(set(tokens))


async def test_a_table_that_is_missing_parks_nothing() -> None:
    class Missing(Warehouse):
        async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
            raise WarehouseRefusedError("no such table")

    warehouse, parked = Missing(), Parked()
    warehouse.table_is_well = False
    writer = Writer(warehouse, parked, no_sleep)
    await writer.write(load_of(b"a"))
    assert (parked.offsets, warehouse.inserted) == ([], [(b"a", "im.transitions-1-0-0")])
    assert writer.trouble == ""


@pytest.mark.parametrize("code", sorted(ABOUT_NO_ROW))
async def test_a_refusal_that_concerns_no_row_parks_nothing(code: int) -> None:
    class Forbidding(Warehouse):
        async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
            if len(self.tried) < 3:
                self.tried.append((lines, token))
                raise WarehouseRefusedError("not now", code=code)
            await super().insert(table, lines, token=token)

    warehouse, parked = Forbidding(), Parked()
    await Writer(warehouse, parked, no_sleep).write(load_of(b"a", b"b"))
    assert (parked.offsets, warehouse.inserted) == ([], [(b"a\nb", "im.transitions-1-0-1")])


async def test_a_dead_letter_that_is_refused_does_not_go_round() -> None:
    parked = Parked()
    await Writer(Warehouse(), parked, no_sleep).write(load_of(b"bad", topic=topics.DEAD))
    assert parked.offsets == []


async def test_what_cannot_be_a_row_is_parked_before_its_neighbours_are_committed() -> None:
    warehouse, parked = Warehouse(), Parked()
    batch = batch_of(b"a")._replace(unusable=[(Record(b"x", offset=7), Unusable("not_utf8", ""))])
    await Writer(warehouse, parked, no_sleep).write(Load((batch,)))
    assert parked.offsets == [7]
    assert len(warehouse.inserted) == 1


def test_a_buffer_is_due_by_rows_by_bytes_or_by_age() -> None:
    buffer = Buffer(Target("t", lambda record, _: bytes(record.value)), 0)
    assert not buffer.due(0.0, rows=2, age=1.0)
    buffer.add([Record(b"a", offset=0)], now=10.0)
    assert not buffer.due(10.5, rows=2, age=1.0)
    assert buffer.due(11.0, rows=2, age=1.0)
    buffer.add([Record(b"b", offset=1)], now=10.6)
    assert buffer.due(10.6, rows=2, age=1.0)
    assert buffer.next_offset == 2


@pytest.mark.parametrize(("sizes", "taken"), [((10, 10), 2), ((MAX_BYTES, 10), 1), ((2 * MAX_BYTES, 10), 1)])
def test_a_batch_is_bounded_by_bytes_and_never_empty(sizes: tuple[int, int], taken: int) -> None:
    buffer = Buffer(Target("t", lambda record, _: bytes(record.value)), 0)
    buffer.add([Record(b"x" * size, offset=offset) for offset, size in enumerate(sizes)], now=0.0)
    batch = buffer.take("t", rows=10, now=0.0)
    assert (batch.first, batch.last) == (0, taken - 1)
    assert len(buffer) == 2 - taken


def test_partitions_of_a_topic_wait_together_up_to_one_insert() -> None:
    worker = Worker(None, None, parse({"SINK_BATCH_ROWS": "10"}))  # type: ignore[arg-type]  # neither is asked
    waiting = {(topics.TRANSITIONS, 0): 4, (topics.TRANSITIONS, 1): 6, (topics.TRANSITIONS, 2): 1}
    waiting |= {(topics.TRANSITIONS, 3): 0, (topics.TRANSITIONS, 4): 30, (topics.ALERTS, 0): 1}
    for (topic, partition), number in waiting.items():
        buffer = worker._buffers[TopicPartition(topic, partition)] = Buffer(Target("t", lambda *_: b""), partition)
        buffer.add([Record(b"", offset=offset) for offset in range(number)], now=0.0)
    groups = [[(tp.topic, tp.partition) for tp in group] for group in worker._together()]
    assert groups == [
        [(topics.TRANSITIONS, 0), (topics.TRANSITIONS, 1)],
        [(topics.TRANSITIONS, 2)],
        [(topics.TRANSITIONS, 4)],
        [(topics.ALERTS, 0)],
    ]
