"""What a URL's query may say."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import params
from dashboard.params import HOUR_MS
from dashboard.problems import BadQueryError
from schemas.times import parse_iso

NOW = 1_760_000_000_000


@given(st.sampled_from(sorted(params.RANGES)), st.integers(0, 4_000_000_000_000))
def test_a_range_is_full_hours_and_the_present_one(name: str, now: int) -> None:
    found = params.period({"range": name}, now)
    assert found.from_ms % HOUR_MS == found.to_ms % HOUR_MS == 0
    assert now < found.to_ms <= now + HOUR_MS
    assert found.to_ms - found.from_ms == params.RANGES[name] + HOUR_MS


def test_two_times_are_taken_as_they_are() -> None:
    given_times = {"from": "2026-01-31T12:00:00Z", "to": "2026-01-31T14:00:00.500+01:00"}
    found = params.period(given_times, NOW)
    assert found.from_ms == parse_iso(given_times["from"])
    assert found.to_ms - found.from_ms == HOUR_MS + 500


@pytest.mark.parametrize(
    "query",
    [
        {"range": "2h"},
        {"range": ""},
        {"from": "yesterday"},
        {"from": "2026-01-31T12:00:00Z", "to": "2026-01-31T12:00:00Z"},
        {"from": "2020-01-31T12:00:00Z", "to": "2026-01-31T12:00:00Z"},
    ],
)
def test_other_periods_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadQueryError):
        params.period(query, NOW)


def test_all_there_is_is_for_lists_that_may_be_asked_for_it() -> None:
    assert params.period({"range": "all"}, NOW, ever=True).from_ms == 0
    with pytest.raises(BadQueryError):
        params.period({"range": "all"}, NOW)


@pytest.mark.parametrize("name", ["Mars/Base", "../../etc/passwd", "/etc/passwd", "", "a\0b", "Europe"])
def test_other_zones_are_refused(name: str) -> None:
    with pytest.raises(BadQueryError):
        params.zone({"tz": name})


def test_zones_are_iana_names() -> None:
    assert params.zone({"tz": "Asia/Kathmandu"}) == "Asia/Kathmandu"
    assert params.zone({}) == "UTC"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_cursor_is_read_as_it_was_written(values: list[str]) -> None:
    assert params.cursor({"cursor": params.write_cursor(values)}, len(values)) == values


@given(st.text(min_size=1, max_size=60))
def test_no_other_cursor_is_an_error_of_ours(text: str) -> None:
    with suppress(BadQueryError):
        assert len(params.cursor({"cursor": text}, 2)) == 2


@pytest.mark.parametrize("value", ["0", "1001", "-1", "1.5", "x", "", "\u0661", "9" * 30])
def test_other_limits_are_refused(value: str) -> None:
    with pytest.raises(BadQueryError):
        params.limit({"limit": value})


def test_ids_have_an_end() -> None:
    assert params.text({"org": "x" * 64}, "org") == "x" * 64
    with pytest.raises(BadQueryError):
        params.text({"org": "x" * 65}, "org")
    with pytest.raises(BadQueryError):
        params.needed({}, "id")
