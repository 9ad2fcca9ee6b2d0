"""Reads latency sketches: counts by logarithmic bucket, made by the processors (relative error at most 1 %). Pure.

Bucket 0 holds 0 ms, bucket n > 0 what lies in (GAMMA^(n-2), GAMMA^(n-1)] ms.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

GAMMA: Final = 1.01 / 0.99
Sketch = Mapping[int, int]
_S: Final = 1000
_M: Final = 60 * _S
_H: Final = 60 * _M
EDGES: Final = (
    0, _S, 2 * _S, 5 * _S, 10 * _S, 30 * _S, _M, 2 * _M, 5 * _M, 15 * _M, 30 * _M, _H, 2 * _H, 4 * _H, 8 * _H, 24 * _H,
)  # fmt: skip
"""Bars of a distribution, in ms: what a person tells apart. The last one has no end."""


def value_of(bucket: int) -> float:
    """Return the milliseconds that stand for a bucket."""
    return round(2 * GAMMA ** (bucket - 1) / (GAMMA + 1), 3) if bucket else 0.0


def quantile(sketch: Sketch, q: float) -> float | None:
    """Return the lower q-quantile in ms, None when nothing was counted."""
    total = sum(sketch.values())
    if not total:
        return None
    rank, seen = int(q * (total - 1)), 0
    for bucket in sorted(sketch):
        seen += sketch[bucket]
        if seen > rank:
            break
    return value_of(bucket)


def bars(sketch: Sketch) -> list[tuple[int, int | None, int]]:
    """Return (from ms, to ms or None, count) for each bar between EDGES; a bucket counts where its value lies."""
    counts = [0] * len(EDGES)
    for bucket, count in sketch.items():
        counts[max(0, bisect_left(EDGES, value_of(bucket)) - 1)] += count
    ends = [*(end for _, end in pairwise(EDGES)), None]
    return [(start, end, count) for start, end, count in zip(EDGES, ends, counts, strict=True)]
