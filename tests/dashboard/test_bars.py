"""The bars of a latency distribution."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dashboard.bars import EDGES, bars
from schemas import sketch

LATENCIES = st.lists(st.integers(0, 10**10), min_size=1, max_size=50)


@given(LATENCIES)
def test_bars_count_everything_once(latencies: list[int]) -> None:
    counts = Counter(sketch.bucket_of(latency) for latency in latencies)
    found = bars(counts)
    assert sum(count for _, _, count in found) == len(latencies)
    assert [start for start, _, _ in found] == list(EDGES)
    assert found[-1][1] is None


def test_a_bar_holds_what_lies_between_its_bounds() -> None:
    counts = {sketch.bucket_of(700): 3, sketch.bucket_of(45_000): 2, 0: 1}
    assert {(start, end): count for start, end, count in bars(counts) if count} == {
        (0, 1000): 4,
        (30_000, 60_000): 2,
    }
