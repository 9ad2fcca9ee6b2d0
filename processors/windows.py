"""Channel windows: what is counted in one channel's minute, in one raw partition and over all of them."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from schemas import sketch
from schemas.sketch import Sketch

MINUTE_MS: Final = 60_000
FUTURE_MS: Final = 3_600_000
"""A time this far after its own received time, or further, is a broken clock: late."""

COUNTS: Final = (
    "sent",
    "delivered",
    "read",
    "other",
    "duplicates",
    "late",
    "out_of_order",
    "contradictions",
    "negative_latencies",
)
SENT, DELIVERED, READ, OTHER, DUPLICATES, LATE, OUT_OF_ORDER, CONTRADICTIONS, NEGATIVE = range(len(COUNTS))


WindowKey = tuple[str, str, int]
"""One channel's minute: org, channel, and its start in epoch ms."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Moment:
    """Where a record stands: its time and received time (epoch ms), and its raw offset."""

    __slots__ = ("offset", "received", "time")

    def __init__(self, time: int, received: int, offset: int) -> None:
        self.time = time
        self.received = received
        self.offset = offset


def minute_of(time: int) -> int:
    """Return the start of the minute of a time, both in epoch ms."""
    return time - time % MINUTE_MS


def is_late(time: int, received: int, retention_ms: int) -> bool:
    """Tell whether a record belongs to no window: by its own two times alone, so that a replay decides the same."""
    return time < received - retention_ms or time > received + FUTURE_MS


@mypyc_attr(acyclic=True)
class Partial:
    """Absolute counts of one window in one raw partition, up to and including raw offset `last`."""

    __slots__ = ("counts", "delivered_to_read", "last", "sent_to_delivered")

    def __init__(
        self,
        counts: list[int] | None = None,
        sent_to_delivered: Sketch | None = None,
        delivered_to_read: Sketch | None = None,
        last: int = -1,
    ) -> None:
        self.counts = counts if counts is not None else [0] * len(COUNTS)
        self.sent_to_delivered: Sketch = sent_to_delivered if sent_to_delivered is not None else {}
        self.delivered_to_read: Sketch = delivered_to_read if delivered_to_read is not None else {}
        self.last = last

    def measure(self, latencies: Sketch, milliseconds: int) -> None:
        """Count a latency; one below zero is counted apart and stays out of the quantiles."""
        if milliseconds < 0:
            self.counts[NEGATIVE] += 1
        else:
            sketch.add(latencies, milliseconds)
