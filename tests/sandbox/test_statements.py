"""What the front reads of a statement: its kind, its format, where an insert's rows begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.warehouse.statements import read

QUERIES = {
    "SELECT 1": "",
    "SELECT 1 FORMAT JSON": "JSON",
    "select 1 format JSONEachRow ;": "JSONEachRow",
    "SELECT 1 FORMAT JSON SETTINGS max_threads = 1": "JSON",
    "SELECT 'x FORMAT CSV'": "",
    "SELECT 1 AS format FROM t": "",
    "SELECT format FROM t": "",
    "SELECT 1 -- FORMAT CSV": "",
    "SELECT 1 /* FORMAT CSV */ FORMAT\nTSV": "TSV",
    "SELECT (SELECT 1 FORMAT CSV)": "",
    "INSERT INTO t SELECT 1": "",
    "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x": "",
    "": "",
}
INSERTS = {
    b"INSERT INTO t FORMAT CSV\n1,2": ("CSV", b"INSERT INTO t ", b"1,2"),
    b"insert into t (a, `format`) Format JSONEachRow {}": ("JSONEachRow", b"insert into t (a, `format`) ", b"{}"),
    b"INSERT INTO t FORMAT RowBinary\n\n\x00": ("RowBinary", b"INSERT INTO t ", b"\n\x00"),
    b"INSERT INTO t FORMAT CSV\r\n1": ("CSV", b"INSERT INTO t ", b"1"),
    b"INSERT INTO t VALUES (1, 'FORMAT')": ("Values", b"INSERT INTO t ", b" (1, 'FORMAT')"),
    b"/* c */ INSERT INTO t SETTINGS a = 'x' FORMAT TSV\nSELECT": (
        "TSV",
        b"/* c */ INSERT INTO t SETTINGS a = 'x' ",
        b"SELECT",
    ),
    b"INSERT INTO format FORMAT CSV 1": ("CSV", b"INSERT INTO format ", b"1"),
    b"INSERT INTO t": ("Values", b"INSERT INTO t", b""),
}


@pytest.mark.parametrize(("text", "named"), QUERIES.items())
def test_queries(text: str, named: str) -> None:
    """Only a FORMAT clause at the end, outside brackets, texts and comments, names the format."""
    found = read(text.encode())
    assert (found.kind, found.format) == ("query", named)


@pytest.mark.parametrize(("text", "wanted"), INSERTS.items())
def test_inserts(text: bytes, wanted: tuple[str, bytes, bytes]) -> None:
    """An insert's text ends before FORMAT or VALUES; its rows begin behind, byte for byte."""
    found = read(text)
    assert (found.kind, found.format, text[: found.head], text[found.data :]) == ("data", *wanted)


@given(st.binary(max_size=200))
def test_any_rows_stay_as_they_are(rows: bytes) -> None:
    """Whatever bytes follow the line of the format are the rows."""
    text = b"INSERT INTO t FORMAT Native\n" + rows
    assert text[read(text).data :] == rows


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    """Any bytes are read without an error."""
    assert read(text).data <= len(text)
