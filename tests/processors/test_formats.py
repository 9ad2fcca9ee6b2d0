"""What a processor kept is read by a release that knows its format, and refused by one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocksdict import Options, Rdict

from processors import codec
from processors.codec import UnknownFormatError
from processors.disk import RocksState
from processors.windows import Partial, Windows
from schemas import keys

FACT_KEY = codec.fact_key("1", "2", "SENT")
FACT = codec.encode_fact(5, 6, 7, "8", "9")
WINDOWS = Windows("1", "2")
COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def _partial() -> bytes:
    partial = Partial(60_000)
    partial.restore(COUNTS, {3: 1}, {}, 4)
    return codec.encode_partial(0, WINDOWS, partial, 5)


WINDOW, PARTIAL = WINDOWS.key(60_000), _partial()


def test_what_this_release_wrote_it_reads() -> None:
    fact = codec.decode_fact(FACT_KEY, FACT)
    assert (fact.message_id, fact.time, fact.offset, fact.received, fact.session_id) == ("2", 5, 6, 7, "9")
    record, head = codec.decode_partial(WINDOW, PARTIAL), codec.decode_head(WINDOW, PARTIAL)
    assert (record.counts, record.sent_to_delivered, record.delivered_to_read) == (COUNTS, {3: 1}, {})
    for each in (record, head):
        assert (each.org_id, each.channel_id, each.start, each.watermark, each.last) == ("1", "2", 60_000, 5, 4)
    assert FACT.startswith(b"%d," % codec.VERSION)
    assert orjson.loads(PARTIAL)[0] == codec.VERSION


@pytest.mark.parametrize("version", [b"0", b"1", b"3", b"20", b"x", b"", b"\xff", b"+2", b"02"])
@pytest.mark.parametrize(
    ("decode", "key", "value"),
    [
        (codec.decode_fact, FACT_KEY, FACT),
        (codec.decode_partial, WINDOW, PARTIAL),
        (codec.decode_head, WINDOW, PARTIAL),
    ],
)
def test_another_version_is_refused(
    decode: Callable[[bytes, bytes], Any], key: bytes, value: bytes, version: bytes
) -> None:
    known = b"%d," % codec.VERSION
    assert known in value[:4]
    with pytest.raises(UnknownFormatError, match="Run the release that wrote it, or a newer one"):
        decode(key, value.replace(known, version + b",", 1))


@pytest.mark.parametrize("value", [b"", b"{}", b"[2]", PARTIAL.replace(b"[1,2,3,", b"[")])
def test_a_partial_that_lacks_something_is_refused(value: bytes) -> None:
    with pytest.raises(UnknownFormatError):
        codec.decode_partial(WINDOW, value)


@given(st.text(max_size=5), st.text(max_size=5))
def test_a_windows_key_is_that_of_its_three_parts(org: str, channel: str) -> None:
    assert Windows(org, channel).key(60_000) == keys.join(org, channel, "60000")


def test_a_state_on_disk_tells_its_format_and_one_without_is_the_first(tmp_path: Path) -> None:
    state = RocksState(tmp_path / "s")
    state.set("1", 2, "SENT", 1 << 40, ("", ""))
    state.flush()
    state.close()
    database = Rdict(str(tmp_path / "s"), Options(raw_mode=True))
    assert database[b"f"] == codec.DISK_FORMAT
    del database[b"f"]
    database.close()
    again = RocksState(tmp_path / "s")
    assert len(again) == 1
    again.close()


def test_a_state_on_disk_of_another_format_is_refused(tmp_path: Path) -> None:
    database = Rdict(str(tmp_path / "s"), Options(raw_mode=True))
    database[b"f"] = b"9"
    database.close()
    with pytest.raises(UnknownFormatError, match=r"has format 9, this release knows 1.*remove the folder"):
        RocksState(tmp_path / "s")
