"""Compressed bodies."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.content import MAX_MEMBERS, BrokenError, TooLargeError, decompress, supported

LIMIT = 1000


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


@given(st.binary(max_size=LIMIT))
def test_each_encoding_gives_the_body_back(body: bytes) -> None:
    assert decompress(gzip.compress(body, mtime=0), "gzip", LIMIT) == body
    assert decompress(zlib.compress(body), "deflate", LIMIT) == body
    assert decompress(raw_deflate(body), "deflate", LIMIT) == body
    half = len(body) // 2
    assert decompress(gzip.compress(body[:half], mtime=0) + gzip.compress(body[half:], mtime=0), "gzip", LIMIT) == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_limit_holds_to_the_byte_after_decompression(encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    assert len(decompress(compress(b"x" * LIMIT), encoding, LIMIT)) == LIMIT
    for size in (LIMIT + 1, 50_000_000):
        with pytest.raises(TooLargeError):
            decompress(compress(b"x" * size), encoding, LIMIT)
    with pytest.raises(TooLargeError):
        decompress(gzip.compress(b"x" * 600, mtime=0) * 2, "gzip", LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        b"plain",
        gzip.compress(b"abc", mtime=0)[:-1],
        gzip.compress(b"abc", mtime=0)[:5],
        gzip.compress(b"abc", mtime=0) + b"junk",
        zlib.compress(b""),
    ],
)
def test_what_cannot_be_decompressed_keeps_its_bytes(data: bytes) -> None:
    with pytest.raises(BrokenError) as caught:
        decompress(data, "gzip", LIMIT)
    assert caught.value.data == data


def test_an_empty_body_is_empty_whatever_its_encoding() -> None:
    assert decompress(b"", "gzip", LIMIT) == b""
    assert decompress(b"", "deflate", LIMIT) == b""


def test_thousands_of_members_are_refused_before_they_cost_time() -> None:
    with pytest.raises(BrokenError):
        decompress(gzip.compress(b"", mtime=0) * (MAX_MEMBERS + 1), "gzip", LIMIT)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate"]))
def test_no_bytes_raise_anything_else(data: bytes, encoding: str) -> None:
    with suppress(BrokenError, TooLargeError):
        decompress(data, encoding, LIMIT)


def test_other_encodings_are_unknown() -> None:
    assert all(map(supported, ("", "identity", "gzip", "deflate")))
    assert not any(map(supported, ("br", "zstd", "x-gzip", "gzip, gzip", "compress")))
