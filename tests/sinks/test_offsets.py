"""Which gaps of a topic are read in one go."""

from __future__ import annotations

from sinks.ledger.offsets import NEAR, together


def test_near_gaps_are_read_on_over_and_far_ones_are_sought() -> None:
    near = [range(3, 5), range(6, 7), range(7 + NEAR, 8 + NEAR)]
    far = [range(9 + 2 * NEAR, 10 + 2 * NEAR)]
    assert list(together([*near, *far])) == [near, far]
    assert list(together([])) == []
