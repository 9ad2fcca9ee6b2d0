"""The window partials of one raw partition: absolute counts, each complete up to the last raw offset it has counted."""

from __future__ import annotations

from collections.abc import Iterable

from core.kafka import partition_of
from processors import codec
from processors.places import Place
from processors.ports import Append, Outbox
from processors.rules import Applied, Duplicate
from processors.windows import (
    CONTRADICTIONS,
    DELIVERED,
    DUPLICATES,
    LATE,
    MINUTE_MS,
    OTHER,
    OUT_OF_ORDER,
    READ,
    Moment,
    Partial,
    is_late,
)
from schemas import keys, topics

Channel = tuple[str, str]
"""Org and channel id."""


class Partials:
    """Partials by window. A record counts on a partial only when its offset is above the partial's `last`."""

    def __init__(self, partition: int, partitions: int, window_retention: int, closed_after: int) -> None:
        """Begin empty; `window_retention` says what is late, `closed_after` when a window hears of nothing more, ms."""
        self.open: dict[tuple[str, str, int], Partial] = {}
        """By org, channel and start of the minute (epoch ms)."""
        self.changed: set[tuple[str, str, int]] = set()
        """To be published at the next checkpoint: counted on, or perhaps lost in a crash before it was published."""
        self.stamp = 0
        """Changes whenever a window that was looked up before must be looked up again."""
        self.late = self.closed = 0
        """Records that were late, or came for a window that is closed, since the start."""
        self._retention = window_retention
        self._closed_after = closed_after
        self._partition = partition
        self._partitions = partitions
        self._swept = 0

    def __len__(self) -> int:
        return len(self.open)

    # --- recovery ---------------------------------------------------------------------------------------------------

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the changelog; None drops the window. Raises UnknownFormatError."""
        if value is None:
            org_id, channel_id, start = keys.split(key)
            self.open.pop((org_id, channel_id, int(start)), None)
            return
        self.stamp += 1
        record = codec.decode_partial(key, value)
        known = self.open.get(record.key)
        if known is None or known.last < record.last:
            self.open[record.key] = record.partial()

    def mark_all(self) -> None:
        """Publish every window again at the next checkpoint."""
        self.changed.update(self.open)

    # --- counting ---------------------------------------------------------------------------------------------------

    def count(
        self, channel: Channel, at: Moment, rank: int | None, outcome: Applied | Duplicate, watermark: int
    ) -> None:
        """Count a status record in the window of its time, and the latencies that it completes in theirs.

        One that is late counts as such in the window of its received time.
        """
        late = is_late(at.time, at.received, self._retention)
        own = self.window(channel, at.received if late else at.time, at.offset, watermark)
        if late:
            self.late += 1
            if own is not None:
                own.counts[LATE] += 1
        elif own is not None:
            _count_outcome(own.counts, rank, outcome)
        self._complete(own, channel, at, outcome, watermark)

    def count_usual(self, place: Place, at: Moment, rank: int, outcome: Applied | Duplicate, watermark: int) -> None:
        """Do what `count` does, in fewer steps where all of it belongs into one window."""
        time, received, offset = at.time, at.received, at.offset
        if is_late(time, received, self._retention):
            self.count((place.org_id, place.channel_id), at, rank, outcome, watermark)
            return
        start = time - time % MINUTE_MS
        own: Partial | None = place.partial
        if place.start != start or place.stamp != self.stamp or offset <= place.partial.last:
            own = self.window((place.org_id, place.channel_id), time, offset, watermark)
            if own is not None:
                place.partial, place.start, place.stamp = own, start, self.stamp
        if own is not None and _count_here(own, rank, outcome):
            own.last = offset
            return
        if own is not None:
            _count_outcome(own.counts, rank, outcome)
        self._complete(own, (place.org_id, place.channel_id), at, outcome, watermark)

    def _complete(
        self, own: Partial | None, channel: Channel, at: Moment, outcome: Applied | Duplicate, watermark: int
    ) -> None:
        """Count the latencies that a record completes; then only is its own window done with it: it may be theirs."""
        if isinstance(outcome, Applied) and outcome.completes:
            self._measure(channel, at, outcome, watermark)
        if own is not None:
            own.last = at.offset

    def _measure(self, channel: Channel, at: Moment, outcome: Applied, watermark: int) -> None:
        """Count the latencies that a record completes."""
        pairs = (
            (outcome.sent_to_delivered_ms, outcome.delivered_time, True),
            (outcome.delivered_to_read_ms, outcome.read_time, False),
        )
        touched = []
        for latency, minute, delivery in pairs:
            if latency is None or is_late(minute, at.received, self._retention):
                continue
            window = self.window(channel, minute, at.offset, watermark)
            if window is not None:
                window.measure(window.sent_to_delivered if delivery else window.delivered_to_read, latency)
                touched.append(window)
        # Only now: both latencies may belong to one window.
        for window in touched:
            window.last = at.offset

    def window(self, channel: Channel, time: int, offset: int, watermark: int) -> Partial | None:
        """Return the partial to count a record on, or None when it has counted it already or is closed."""
        org_id, channel_id = channel
        key = (org_id, channel_id, time - time % MINUTE_MS)
        partial = self.open.get(key)
        if partial is None:
            if key[2] < watermark - self._closed_after:
                self.closed += 1
                return None
            partial = self.open[key] = Partial()
        self.changed.add(key)
        return partial if offset > partial.last else None

    # --- checkpoint -------------------------------------------------------------------------------------------------

    def checkpoint(self, outbox: Outbox, log: Append, watermark: int) -> None:
        """Append every changed partial to the changelog and to the second step; drop windows that are closed."""
        publish: dict[int, Append] = {}
        for key in self.changed:
            org_id, channel_id, start = key
            name = codec.window_key(org_id, channel_id, start)
            value = codec.encode_partial(self._partition, org_id, channel_id, start, self.open[key], watermark)
            log(name, value)
            number = partition_of(name, self._partitions)
            if number not in publish:
                publish[number] = outbox.to(topics.PARTIALS, number)
            publish[number](name, value)
        self.changed.clear()
        self.stamp += 1
        for key in self._drop(watermark - self._closed_after):
            log(codec.window_key(*key), None)

    def _drop(self, limit: int) -> Iterable[tuple[str, str, int]]:
        if limit < self._swept + MINUTE_MS:
            return ()
        self._swept = limit
        closed = [key for key in self.open if key[2] < limit]
        for key in closed:
            del self.open[key]
        return closed


def _count_here(partial: Partial, rank: int, outcome: Applied | Duplicate) -> bool:
    """Count a record and what it completes on its own window; False, and nothing is done, where that is elsewhere."""
    counts = partial.counts
    if type(outcome) is not Applied:
        counts[DUPLICATES] += 1
        return True
    delivery, reading = outcome.sent_to_delivered_ms, outcome.delivered_to_read_ms
    if (delivery is not None and rank != DELIVERED) or (reading is not None and rank != READ):
        return False
    counts[rank] += 1
    if outcome.out_of_order:
        counts[OUT_OF_ORDER] += 1
    if outcome.contradiction:
        counts[CONTRADICTIONS] += 1
    if delivery is not None:
        partial.measure(partial.sent_to_delivered, delivery)
    elif reading is not None:
        partial.measure(partial.delivered_to_read, reading)
    return True


def _count_outcome(counts: list[int], rank: int | None, outcome: Applied | Duplicate) -> None:
    """Count a record that is not late in the window of its own minute."""
    if isinstance(outcome, Applied):
        counts[OTHER if rank is None else rank] += 1
        counts[OUT_OF_ORDER] += outcome.out_of_order
        counts[CONTRADICTIONS] += outcome.contradiction
    else:
        counts[DUPLICATES] += 1
