"""Our reader of record batches gives what aiokafka's gives."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crecords import DefaultRecordBatchBuilder, MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from core.kafka_reader import records_of
from core.kafka_records import Batches

NAMES = ("org", "type", "received", "", "ü")
maybe = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.sampled_from(NAMES), maybe), max_size=6)
"""Few values, so that neighbours often have the same."""
records = st.lists(
    st.tuples(
        st.integers(0, 1 << 45),
        maybe,
        maybe,
        st.sampled_from([[], [("org", b"1")], [("org", b"1"), ("received", None)]]) | headers,
    ),
    max_size=20,
)
Written = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
FIELDS = ("offset", "timestamp", "timestamp_type", "key", "value", "headers", "checksum")


def batch(written: Written, *, compression: int = 0, base: int = 0) -> bytes:
    """Return a batch as aiokafka writes it."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, 0, 1 << 30)
    for number, (stamp, key, value, named) in enumerate(written):
        builder.append(number, stamp, key, value, named)
    return base.to_bytes(8, "big") + bytes(builder.build())[8:]


def told(found: Any) -> list[tuple[object, ...]]:
    """Return all that can be asked of records."""
    return [tuple(getattr(record, name) for name in FIELDS) for record in found]


def batches(of: Any) -> list[Any]:
    """Return the batches of a fetch."""
    found = []
    while of.has_next():
        found.append(of.next_batch())
    return found


@given(records, st.sampled_from([0, 1, 3]), st.integers(0, 1 << 50))
def test_it_reads_what_aiokafka_reads(written: Written, compression: int, base: int) -> None:
    encoded = batch(written, compression=compression, base=base)
    (theirs,) = batches(MemoryRecords(encoded))
    assert told(records_of(encoded)) == told(theirs)


def test_records_with_the_append_time_have_that_of_their_batch() -> None:
    encoded = bytearray(batch([(5, b"k", b"v", []), (9, b"k", b"v", [])]))
    encoded[22] |= 0x08
    (theirs,) = batches(MemoryRecords(bytes(encoded)))
    assert told(records_of(bytes(encoded))) == told(theirs)
    assert [record.timestamp for record in records_of(bytes(encoded))] == [9, 9]


def test_records_of_one_request_share_their_headers() -> None:
    same: list[tuple[str, bytes | None]] = [("org", b"1")]
    first, other, second = records_of(batch([(1, b"a", b"b", same), (1, b"a", b"b", []), (1, b"a", b"b", same)]))
    assert first.headers is second.headers
    assert other.headers == []


@given(records.filter(bool), st.data())
def test_bytes_that_are_missing_or_too_many_are_noticed(written: Written, data: st.DataObject) -> None:
    encoded = batch(written)
    cut = data.draw(st.integers(61, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + b"\0"):
        with pytest.raises(CorruptRecordException):
            records_of(wrong)


def test_the_marker_of_a_transaction_stays_aiokafkas_own() -> None:
    """Aiokafka looks into it by itself."""
    marker = bytearray(batch([(1, b"\0\0\0\0", b"\0" * 6, [])]))
    marker[22] |= 0x20
    (found,) = batches(Batches(bytes(marker)))
    assert found.is_control_batch
    assert next(found).key == b"\0\0\0\0"


def test_a_number_without_an_end_is_noticed() -> None:
    encoded = batch([(1, b"a", b"b", [])])
    with pytest.raises(CorruptRecordException):
        records_of(encoded[:61] + b"\xff" * 20)


@given(st.lists(st.tuples(records.filter(bool), st.sampled_from([0, 3])), max_size=4))
def test_a_fetch_of_several_batches_is_read_as_ever(fetched: list[tuple[Written, int]]) -> None:
    """Through aiokafka's own walk: its checks, its filter, its positions."""
    encoded, base = b"", 7
    for written, compression in fetched:
        encoded += batch(written, compression=compression, base=base)
        base += len(written)
    ours, theirs = (
        fetcher.PartitionRecords("t-0", kind(encoded), [], 8, lambda key: key, None, True, 1)
        for kind in (Batches, MemoryRecords)
    )
    for each in (ours, theirs):
        each._consumer_record = lambda _, record: record
    assert told(ours) == told(theirs)
    assert ours.next_fetch_offset == theirs.next_fetch_offset
