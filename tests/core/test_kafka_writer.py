"""The bytes of a batch: the same as the producer's own builder makes."""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import pytest
from aiokafka.codec import lz4_decode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import example, given
from hypothesis import strategies as st

from core.kafka_reader import OVERHEAD
from core.kafka_writer import Batch, Headers, encode_headers, varint

LIMIT = 100_000
LZ4 = 3
ATTRIBUTES, RECORDS = 21, 61
"""Where these begin in a batch."""

headers = st.lists(st.tuples(st.sampled_from(["org", "type", "é", ""]), st.binary(max_size=200)), max_size=6)
records = st.tuples(
    st.integers(-300_000, 300_000).map(lambda shift: 1_760_000_000_000 + shift),
    st.none() | st.binary(max_size=300),
    st.one_of(st.none(), st.binary(max_size=300), st.integers(16_300, 16_500).map(bytes)),
    headers,
)
Drawn = list[tuple[int, bytes | None, bytes | None, Headers]]


def theirs(drawn: Drawn) -> BatchBuilder:
    builder = BatchBuilder(LIMIT, 0)
    for stamp, key, value, found in drawn:
        if builder.append(timestamp=stamp, key=key, value=value, headers=found) is None:
            break
    return builder


def ours(drawn: Drawn, *, lz4: bool) -> Batch:
    batch = Batch(LIMIT, lz4=lz4)
    for stamp, key, value, found in drawn:
        if not batch.append(stamp, key, value, encode_headers(found)):
            break
    return batch


@example(drawn=[(1, None, bytes(16_300), [])] * 6 + [(2, None, bytes(16_300), [])])  # the last one does not fit
@given(drawn=st.lists(records, min_size=1, max_size=12))
def test_any_batch_has_the_bytes_of_the_producers_own(drawn: Drawn) -> None:
    expected, found = theirs(drawn), ours(drawn, lz4=False)
    assert found.record_count() == expected.record_count()
    assert found.size() == expected.size()
    for batch in (expected, found):
        batch._set_producer_state(7, 3, 41)
    assert bytes(found._build()) == bytes(expected._build())
    assert found._build() == found._build(), "a retry sends the same"


@given(drawn=st.lists(records, min_size=1, max_size=12))
def test_a_compressed_batch_has_the_same_records(drawn: Drawn) -> None:
    plain, found = ours(drawn, lz4=False)._build(), ours(drawn, lz4=True)._build()
    assert len(found) <= len(plain), "what gains nothing is not compressed"
    if found != plain:
        assert unpack_from(">h", found, ATTRIBUTES)[0] == LZ4
        assert lz4_decode(found[RECORDS:]) == plain[RECORDS:]
    assert [record.value for record in read(found)] == [record.value for record in read(plain)]


def read(batch: bytes) -> list[Any]:
    """Return the records of a batch as a consumer reads them, its checksum verified."""
    found = DefaultRecordBatch(batch)
    assert found.validate_crc()
    return list(found)


def test_a_batch_of_very_many_records_has_the_bytes_of_the_producers_own() -> None:
    drawn: Drawn = [(5, None, b"", [])] * 20_000
    limit = 10**6
    builder, batch = BatchBuilder(limit, 0), Batch(limit, lz4=False)
    for stamp, key, value, found in drawn:
        assert builder.append(timestamp=stamp, key=key, value=value, headers=found) is not None
        assert batch.append(stamp, key, value, encode_headers(found))
    assert batch._build() == bytes(builder._build())


def test_a_batch_takes_one_record_of_any_size_and_no_more_than_its_limit() -> None:
    batch = Batch(OVERHEAD + 10, lz4=False)
    assert batch.append(1, b"k", bytes(5000), b"\0")
    assert not batch.append(1, b"k", b"", b"\0")
    assert batch.record_count() == 1


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, b"\0"),
        (-1, b"\x01"),
        (1, b"\x02"),
        (63, b"\x7e"),
        (64, b"\x80\x01"),
        (-65, b"\x81\x01"),
        (2**31, b"\x80\x80\x80\x80\x10"),
    ],
)
def test_numbers_are_zigzag_varints(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded
