"""A mergeable latency sketch: counts by logarithmic bucket, as in DDSketch (Masson, Rim, Lee: VLDB 2019).

A quantile is off by at most 1 % of its value; sketches of parts add up bucket by bucket to the sketch of the whole.
"""

from __future__ import annotations

from math import ceil, log
from typing import Final

RELATIVE_ERROR: Final = 0.01
GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_INVERSE_LOG: Final = 1 / log(GAMMA)

Sketch = dict[int, int]
"""Bucket number to count. Bucket 0 holds 0 ms, bucket n > 0 what lies in (GAMMA^(n-2), GAMMA^(n-1)] ms."""


def bucket_of(milliseconds: int) -> int:
    """Return the bucket of a latency of 0 ms or more."""
    return 1 + ceil(log(milliseconds) * _INVERSE_LOG) if milliseconds else 0


def add(sketch: Sketch, milliseconds: int) -> None:
    """Count one latency of 0 ms or more."""
    bucket = bucket_of(milliseconds)
    sketch[bucket] = sketch.get(bucket, 0) + 1


def merge(target: Sketch, other: Sketch) -> None:
    """Add the counts of another sketch to `target`."""
    for bucket, count in other.items():
        target[bucket] = target.get(bucket, 0) + count


def quantile(sketch: Sketch, q: float) -> float | None:
    """Return the lower q-quantile in ms (of n values the one of rank floor(q * (n - 1))), None when there are none."""
    total = sum(sketch.values())
    return _at_ranks(sketch, int(q * (total - 1)), 0)[0] if total else None


def p50_and_p95(sketch: Sketch) -> tuple[float | None, float | None]:
    """Return the two quantiles that everybody asks for, as `quantile` does."""
    if not sketch:
        return None, None
    if len(sketch) == 1:
        only = value_of(next(iter(sketch)))
        return only, only
    total = sum(sketch.values())
    return _at_ranks(sketch, int(0.5 * (total - 1)), int(0.95 * (total - 1)))


def _at_ranks(sketch: Sketch, lower: int, upper: int) -> tuple[float, float]:
    """Return the values of two ranks of one that is not empty, counted from 0; those above the last are the last's."""
    seen, bucket, first = 0, 0, -1
    for bucket in sorted(sketch):
        seen += sketch[bucket]
        if first < 0 and seen > lower:
            first = bucket
        if first >= 0 and seen > upper:
            break
    return value_of(bucket if first < 0 else first), value_of(bucket)


def value_of(bucket: int) -> float:
    """Return the value that stands for a bucket, within RELATIVE_ERROR of everything in it."""
    return _VALUES[bucket] if bucket < _KNOWN else _value_of(bucket)


def _value_of(bucket: int) -> float:
    return round(2 * GAMMA ** (bucket - 1) / (GAMMA + 1), 3) if bucket else 0.0


_KNOWN: Final = 1 << 11
_VALUES: Final = [_value_of(bucket) for bucket in range(_KNOWN)]
"""Those of all times that `schemas.times` reads, and some more."""
