"""The cursor: no record is seen twice, none is skipped, nothing is committed too early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.batched.cursor import RESEEK_LIMIT, Cursor, Seek
from tests.processors.world import FakeRecord


def fetch(*offsets: int) -> list[FakeRecord]:
    return [FakeRecord(offset, None, None) for offset in offsets]


def offsets(delivered: object) -> list[int]:
    assert isinstance(delivered, list)
    return [record.offset for record in delivered]


def test_what_was_delivered_before_is_cut_off() -> None:
    cursor = Cursor(5)
    assert offsets(cursor.deliver(fetch(3, 4, 5, 6))) == [5, 6]
    assert offsets(cursor.deliver(fetch(5, 6))) == []
    assert offsets(cursor.deliver(fetch(7))) == [7]


def test_a_gap_is_fetched_again_before_it_is_believed() -> None:
    cursor = Cursor(5)
    for _ in range(RESEEK_LIMIT):
        assert cursor.deliver(fetch(8, 9)) == Seek(5)
    assert offsets(cursor.deliver(fetch(8, 9))) == [8, 9]
    assert cursor.lost == 3
    assert cursor.accept(8, 9) == 8


def test_a_batch_that_never_arrived_is_fetched_again() -> None:
    cursor = Cursor(0)
    cursor.deliver(fetch(0, 1))
    cursor.deliver(fetch(2, 3))
    assert cursor.accept(2, 3) == Seek(0)
    assert offsets(cursor.deliver(fetch(0, 1))) == [0, 1]
    assert cursor.accept(0, 1) == 0


def test_only_the_contiguous_prefix_of_done_batches_is_committed() -> None:
    cursor = Cursor(0)
    for first, last in ((0, 1), (2, 3), (4, 5)):
        assert cursor.accept(first, last) == first
    assert cursor.ack(3) is None
    assert cursor.ack(1) == 4
    assert cursor.pending
    assert cursor.ack(5) == 6
    assert not cursor.pending


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=40))
def test_whatever_is_fetched_the_step_sees_each_offset_once_in_order(fetches: list[tuple[int, int]]) -> None:
    cursor, seen = Cursor(0), []
    for start, size in fetches:
        delivered = cursor.deliver(fetch(*range(start, start + size)))
        if isinstance(delivered, Seek) or not delivered:
            continue
        first, last = delivered[0].offset, delivered[-1].offset
        begin = cursor.accept(first, last)
        assert isinstance(begin, int)
        seen += [record.offset for record in delivered if record.offset >= begin]
    assert seen == sorted(set(seen))
    assert cursor.lost == (seen[-1] + 1 - len(seen) if seen else 0)
