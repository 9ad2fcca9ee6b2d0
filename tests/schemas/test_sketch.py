"""The latency sketch keeps its promised error, and adds up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas import sketch

latencies = st.lists(st.integers(0, 10**10), min_size=1, max_size=200)


def sketch_of(values: list[int]) -> sketch.Sketch:
    made: sketch.Sketch = {}
    for value in values:
        sketch.add(made, value)
    return made


@given(latencies, st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_one_percent_of_the_exact_one(values: list[int], q: float) -> None:
    exact = sorted(values)[int(q * (len(values) - 1))]
    found = sketch.quantile(sketch_of(values), q)
    assert found is not None
    assert abs(found - exact) <= exact * sketch.RELATIVE_ERROR + 0.001


@given(st.lists(st.integers(0, 10**10), max_size=200))
def test_the_two_usual_quantiles_are_those(values: list[int]) -> None:
    made = sketch_of(values)
    assert sketch.p50_and_p95(made) == (sketch.quantile(made, 0.5), sketch.quantile(made, 0.95))


@given(latencies, latencies)
def test_sketches_of_parts_merge_to_the_sketch_of_the_whole(left: list[int], right: list[int]) -> None:
    merged = sketch_of(left)
    sketch.merge(merged, sketch_of(right))
    assert merged == sketch_of(left + right)


def test_no_latencies_have_no_quantile() -> None:
    assert sketch.quantile({}, 0.5) is None
