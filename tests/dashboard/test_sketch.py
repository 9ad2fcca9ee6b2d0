"""The sketches' reader agrees with their maker."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dashboard import sketch
from processors import sketch as made

LATENCIES = st.lists(st.integers(0, 10**10), min_size=1, max_size=50)


@given(LATENCIES, st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_quantiles_are_those_of_the_processors(latencies: list[int], q: float) -> None:
    counts = Counter(made.bucket_of(latency) for latency in latencies)
    assert sketch.quantile(counts, q) == made.quantile(counts, q)


def test_no_latency_has_no_quantile() -> None:
    assert sketch.quantile({}, 0.5) is None


@given(LATENCIES)
def test_bars_count_everything_once(latencies: list[int]) -> None:
    counts = Counter(made.bucket_of(latency) for latency in latencies)
    bars = sketch.bars(counts)
    assert sum(count for _, _, count in bars) == len(latencies)
    assert [start for start, _, _ in bars] == list(sketch.EDGES)
    assert bars[-1][1] is None


def test_a_bar_holds_what_lies_between_its_bounds() -> None:
    counts = {made.bucket_of(700): 3, made.bucket_of(45_000): 2, 0: 1}
    assert {(start, end): count for start, end, count in sketch.bars(counts) if count} == {
        (0, 1000): 4,
        (30_000, 60_000): 2,
    }
