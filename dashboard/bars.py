"""The bars of a latency distribution, out of a sketch. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from schemas.sketch import value_of

_S: Final = 1000
_M: Final = 60 * _S
_H: Final = 60 * _M
EDGES: Final = (
    0, _S, 2 * _S, 5 * _S, 10 * _S, 30 * _S, _M, 2 * _M, 5 * _M, 15 * _M, 30 * _M, _H, 2 * _H, 4 * _H, 8 * _H, 24 * _H,
)  # fmt: skip
"""Bars of a distribution, in ms: what a person tells apart. The last one has no end."""


def bars(sketch: Mapping[int, int]) -> list[tuple[int, int | None, int]]:
    """Return (from ms, to ms or None, count) for each bar between EDGES; a bucket counts where its value lies."""
    counts = [0] * len(EDGES)
    for bucket, count in sketch.items():
        counts[max(0, bisect_left(EDGES, value_of(bucket)) - 1)] += count
    ends = [*(end for _, end in pairwise(EDGES)), None]
    return [(start, end, count) for start, end, count in zip(EDGES, ends, counts, strict=True)]
