"""Channel windows: what is counted in one channel's minute, in one raw partition and over all of them."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from mypy_extensions import mypyc_attr

from processors.rules import DELIVERED, READ, SENT
from schemas import keys, sketch
from schemas.sketch import Sketch

MINUTE_MS: Final = 60_000
T = TypeVar("T")
FUTURE_MS: Final = 3_600_000
"""A time this far after its own received time, or further, is a broken clock: late."""


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


_NO_LATENCIES: Final[Sketch] = {}
"""Most windows have none of one kind: they share this one, which nothing is ever added to."""


@mypyc_attr(acyclic=True)
class Partial:
    """Absolute counts of one window in one raw partition, up to and including raw offset `last`.

    Each count is a field of its own: there may be millions of these, and a list would double their room.
    """

    __slots__ = (
        "contradictions",
        "delivered",
        "delivered_to_read",
        "duplicates",
        "last",
        "late",
        "marked",
        "negative_latencies",
        "other",
        "out_of_order",
        "read",
        "sent",
        "sent_to_delivered",
        "start",
    )

    def __init__(self, start: int) -> None:
        self.start = start
        """Start of the minute, epoch ms."""
        self.last = -1
        self.marked = False
        """Whether it is to be published at the next checkpoint."""
        self.sent = self.delivered = self.read = self.other = 0
        self.duplicates = self.late = self.out_of_order = self.contradictions = self.negative_latencies = 0
        self.sent_to_delivered = _NO_LATENCIES
        self.delivered_to_read = _NO_LATENCIES

    @property
    def counts(self) -> list[int]:
        """The counts in the order in which a record holds them."""
        return [
            self.sent,
            self.delivered,
            self.read,
            self.other,
            self.duplicates,
            self.late,
            self.out_of_order,
            self.contradictions,
            self.negative_latencies,
        ]

    def restore(self, counts: list[int], sent_to_delivered: Sketch, delivered_to_read: Sketch, last: int) -> None:
        """Take what a record holds; the counts are as `counts`, the sketches are its own from now on."""
        self.sent, self.delivered, self.read, self.other = counts[0], counts[1], counts[2], counts[3]
        self.duplicates, self.late, self.out_of_order = counts[4], counts[5], counts[6]
        self.contradictions, self.negative_latencies = counts[7], counts[8]
        self.sent_to_delivered = sent_to_delivered or _NO_LATENCIES
        self.delivered_to_read = delivered_to_read or _NO_LATENCIES
        self.last = last

    def count(self, rank: int) -> None:
        """Count a status by its ladder rank; -1 is one off the ladder."""
        if rank == SENT:
            self.sent += 1
        elif rank == DELIVERED:
            self.delivered += 1
        elif rank == READ:
            self.read += 1
        else:
            self.other += 1

    def measure_delivery(self, milliseconds: int) -> None:
        """Count the time from SENT to DELIVERED; one below zero is counted apart and stays out of the quantiles."""
        if milliseconds < 0:
            self.negative_latencies += 1
            return
        if not self.sent_to_delivered:
            self.sent_to_delivered = {}
        sketch.add(self.sent_to_delivered, milliseconds)

    def measure_reading(self, milliseconds: int) -> None:
        """Count the time from DELIVERED to READ, as `measure_delivery`."""
        if milliseconds < 0:
            self.negative_latencies += 1
            return
        if not self.delivered_to_read:
            self.delivered_to_read = {}
        sketch.add(self.delivered_to_read, milliseconds)


class Windows:
    """The window partials of one channel, by the start of their minute (epoch ms)."""

    __slots__ = ("_prefix", "channel_id", "open", "org_id")

    def __init__(self, org_id: str, channel_id: str) -> None:
        self.org_id = org_id
        self.channel_id = channel_id
        self.open: dict[int, Partial] = {}
        self._prefix = keys.join(org_id, channel_id).decode()

    def key(self, start: int) -> bytes:
        """Return the Kafka key of a window, as `keys.join` makes it of org, channel and start."""
        return f"{self._prefix}:{start}".encode()


class Minutes(Generic[T]):
    """What is kept of each minute, by its start (epoch ms): to find what is closed, nothing else is looked at."""

    def __init__(self) -> None:
        self._kept: dict[int, list[T]] = {}
        self._taken_until = 0
        self._has_closed = False
        """Whether something came, or was put back, of a minute that was taken out already."""

    def add(self, start: int, item: T) -> None:
        """Keep something of a minute."""
        kept = self._kept.get(start)
        if kept is None:
            kept = self._kept[start] = []
        kept.append(item)
        if start < self._taken_until:
            self._has_closed = True

    def take_closed(self, limit: int) -> list[tuple[int, T]]:
        """Take out what began before `limit` (epoch ms), once a minute; what is added again comes the next time."""
        if limit < self._taken_until + MINUTE_MS and not self._has_closed:
            return []
        limit = self._taken_until = max(self._taken_until, limit)
        self._has_closed = False
        closed = [start for start in self._kept if start < limit]
        return [(start, item) for start in closed for item in self._kept.pop(start)]
