"""What a processor kept is read by a release that knows its format, and refused by one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from rocksdict import Options, Rdict

from processors import codec
from processors.codec import UnknownFormatError
from processors.disk import RocksState
from processors.windows import Partial

FACT_KEY = codec.fact_key("1", "2", "SENT")
FACT = codec.encode_fact(5, 6, 7, "8", "9")
WINDOW = ("1", "2", 60_000)
PARTIAL = codec.encode_partial(0, *WINDOW, Partial([1, 0, 0, 0, 0, 0, 0, 0], {}, {}, 4), 5)


def test_what_this_release_wrote_it_reads() -> None:
    fact = codec.decode_fact(FACT_KEY, FACT)
    assert (fact.message_id, fact.time, fact.offset, fact.received, fact.session_id) == ("2", 5, 6, 7, "9")
    assert codec.decode_partial(codec.window_key(*WINDOW), PARTIAL).key == WINDOW
    assert FACT.startswith(b"%d," % codec.VERSION)
    assert orjson.loads(PARTIAL)[0] == codec.VERSION


@pytest.mark.parametrize("version", [b"0", b"1", b"3", b"20", b"x", b"", b"\xff", b"+2", b"02"])
@pytest.mark.parametrize(
    ("decode", "key", "value"),
    [(codec.decode_fact, FACT_KEY, FACT), (codec.decode_partial, codec.window_key(*WINDOW), PARTIAL)],
)
def test_another_version_is_refused(
    decode: Callable[[bytes, bytes], Any], key: bytes, value: bytes, version: bytes
) -> None:
    known = b"%d," % codec.VERSION
    assert known in value[:4]
    with pytest.raises(UnknownFormatError, match="Run the release that wrote it, or a newer one"):
        decode(key, value.replace(known, version + b",", 1))


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
