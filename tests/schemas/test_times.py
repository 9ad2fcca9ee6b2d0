"""Times as Zoho writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import LATEST_MS, parse_epoch, parse_iso, to_iso

moments = st.integers(min_value=0, max_value=LATEST_MS)


@given(moments)
def test_a_time_survives_being_written_and_read(ms: int) -> None:
    text = to_iso(ms)
    assert parse_iso(text) == ms
    assert parse_iso(text) == ms, "the second reading comes from the cached minute"
    assert to_iso(ms) == text
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-10-09T07:27:19.394Z", 1759994839394),
        ("2025-10-09T07:27:19Z", 1759994839000),
        ("2025-10-09T07:27:19.3Z", 1759994839300),
        ("2025-10-09T07:27:19.39Z", 1759994839390),
        ("2025-10-09T07:27:19.394999Z", 1759994839394),
        ("2025-10-09T12:57:19.394+05:30", 1759994839394),
        ("2025-10-09T12:57:19.394+0530", 1759994839394),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_every_documented_form_is_read(text: str, ms: int) -> None:
    assert parse_iso(text) == ms
    assert parse_iso(text) == ms


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2025-10-09",
        "2025-10-09T07:27:19",
        "2025-10-09T07:27:19.Z",
        "2025-10-09T07:27:60Z",
        "2025-10-09T07:60:19Z",
        "2025-13-09T07:27:19Z",
        "2025-02-30T07:27:19Z",
        "2025-10-09T07:27:19.39+Z",
        "2025-10-09T07:27:1a.394Z",
        "2025-10-09T07:27:19x394Z",
        "2025-10-09T07:27x19.394Z",
        "\u0662\u0660\u0662\u0665-10-09T07:27:19Z",
        "2025-10-09T07:27:\u0661\u0669Z",
        "2025-10-09T07:27:19.\u0663\u0669\u0664Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "2025-10-09T07:27:19+99:99",
        "2025-10-09T07:27:19+05:60",
        "2025-10-09T07:27:19.394-0599",
        "2025-10-09T07:27:19+24:00",
        "2025-10-09T24:00:00Z",
        1759994839394,
        None,
        True,
        {},
    ],
)
def test_what_is_no_time_is_none(value: object) -> None:
    parse_iso("2025-10-09T07:27:19Z")  # the minute is known: the fast path must be as strict
    assert parse_iso(value) is None


@given(st.text(alphabet="0123456789-:TZ.+ ", max_size=26))
def test_near_times_never_raise_and_agree_with_the_library(text: str) -> None:
    ms = parse_iso(text)
    if ms is not None:
        assert int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()) - ms // 1000 in range(-86400, 86401)


@given(moments)
def test_epoch_milliseconds_come_as_text_or_integer(ms: int) -> None:
    assert parse_epoch(ms) == ms
    assert parse_epoch(str(ms)) == ms


@pytest.mark.parametrize("value", ["", "-1", "1.5", " 1", "٣", "1" * 14, -1, LATEST_MS + 1, 1.0, True, None, [], "1e3"])
def test_what_is_no_epoch_is_none(value: object) -> None:
    assert parse_epoch(value) is None
