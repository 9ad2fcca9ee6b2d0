"""The second step: totals of each channel window over all raw partitions.

An engine without I/O for one partition of the partials topic: it keeps, per window, the newest partial of every raw
partition, and publishes their sum. Storing the same partial twice changes nothing, so any repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import add as plus
from typing import Final

import msgspec

from processors import codec
from processors.changelog import PartialHead
from processors.ports import Append, Outbox, Record
from processors.receipts import Retention
from processors.windows import Minutes
from schemas import keys, sketch, topics
from schemas.records import ChannelWindow
from schemas.times import to_iso

_encode: Final = msgspec.json.Encoder().encode


class Totals:
    """Windows of one partition of the partials topic."""

    def __init__(self, partition: int, partitions: int, retention: Retention) -> None:
        self.partition = partition
        self._partitions = partitions
        self._retention = retention
        self._windows: dict[bytes, dict[int, bytes]] = {}
        """By window key: of each raw partition the newest partial, as it was published.

        What it counts is read when it is summed: as bytes it takes a third of the room, and the garbage collector has
        nothing to walk.
        """
        self._minutes = Minutes[bytes]()
        """The windows by their start."""
        self._changed: dict[bytes, bytes] = {}
        """What the changelog does not have yet, by its key."""
        self._dirty: set[bytes] = set()
        self._watermarks: dict[int, int] = {}

    @property
    def windows(self) -> int:
        """Windows kept."""
        return len(self._windows)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the totals changelog; None drops a window's partial. Raises UnknownFormatError."""
        window, _, raw_partition = key.rpartition(b":")
        if value is not None:
            self._store(window, codec.decode_head(key, value), value)
            return
        partials = self._windows.get(window, {})
        partials.pop(int(raw_partition), None)
        if not partials:
            self._windows.pop(window, None)

    def process(self, records: Iterable[Record]) -> None:
        """Store the partials that are newer than what is stored, and mark their windows to be published."""
        for record in records:
            window, value = record.key or b"", record.value or b""
            head = codec.decode_head(window, value)
            ahead = self._store(window, head, value)
            if ahead > 0:
                self._changed[_changelog_key(window, head.raw_partition)] = value
            # The very same partial again: a crash may have come between storing and publishing it.
            if ahead >= 0:
                self._dirty.add(window)

    def mark_all(self) -> None:
        """Write and publish every window again at the next checkpoint."""
        for window, partials in self._windows.items():
            self._dirty.add(window)
            for raw_partition, value in partials.items():
                self._changed[_changelog_key(window, raw_partition)] = value

    def checkpoint(self, outbox: Outbox) -> None:
        """Append every changed partial to the changelog and the total of every marked window; drop what is closed.

        What is published here is dropped next time: a crash may lose what is published and not the tombstone.
        """
        log = outbox.to(topics.changelog(topics.TOTALS_TABLE), self.partition)
        for key, value in self._changed.items():
            log(key, value)
        self._changed.clear()
        self._drop_closed(log)
        publish = outbox.to(topics.WINDOWS, self.partition)
        for window in self._dirty:
            total = _total(window, self._windows[window])
            publish(keys.join(total.org_id, total.channel_id, total.window_start), _encode(total))
        self._dirty.clear()

    def _store(self, window: bytes, head: PartialHead, value: bytes) -> int:
        """Keep a partial that is ahead of the one that is kept; return by how many offsets, 1 where none is kept."""
        raw_partition = head.raw_partition
        self._watermarks[raw_partition] = max(self._watermarks.get(raw_partition, 0), head.watermark)
        partials = self._windows.get(window)
        if partials is None:
            partials = self._windows[window] = {}
            self._minutes.add(head.start, window)
        known = partials.get(raw_partition)
        ahead = 1 if known is None else head.last - codec.decode_head(window, known).last
        if ahead > 0:
            partials[raw_partition] = value
        return ahead

    def _drop_closed(self, log: Append) -> None:
        """Drop the windows of which no raw partition can tell anything new, but none that is to be published."""
        for start, window in self._minutes.take_closed(self._closed_before()):
            if window in self._dirty:
                self._minutes.add(start, window)
                continue
            for raw_partition in self._windows.pop(window, {}):
                log(_changelog_key(window, raw_partition), None)

    def _closed_before(self) -> int:
        if not self._watermarks:
            return 0
        # A raw partition that lags may still tell of old minutes; one that is silent must not keep windows for ever.
        slowest = min(self._watermarks.values()) if len(self._watermarks) == self._partitions else 0
        return max(slowest - self._retention.closed, max(self._watermarks.values()) - self._retention.state)


def _changelog_key(window: bytes, raw_partition: int) -> bytes:
    """Return what `keys.join` makes of org, channel, start and raw partition."""
    return window + b":%d" % raw_partition


def _total(window: bytes, kept: dict[int, bytes]) -> ChannelWindow:
    """Sum a window's partials of all raw partitions into what is published."""
    partials = [codec.decode_partial(window, value) for value in kept.values()]
    first = partials[0]
    counts, version = first.counts, first.last + 1
    sent_to_delivered, delivered_to_read = first.sent_to_delivered, first.delivered_to_read
    for partial in partials[1:]:
        counts = list(map(plus, counts, partial.counts))
        sketch.merge(sent_to_delivered, partial.sent_to_delivered)
        sketch.merge(delivered_to_read, partial.delivered_to_read)
        version += partial.last + 1
    sent, delivered, read, other, duplicates, late, out_of_order, contradictions, negative = counts[:9]
    delivery_p50, delivery_p95 = sketch.p50_and_p95(sent_to_delivered)
    reading_p50, reading_p95 = sketch.p50_and_p95(delivered_to_read)
    return ChannelWindow(
        first.org_id,
        first.channel_id,
        to_iso(first.start),
        sent,
        delivered,
        read,
        other,
        duplicates,
        late,
        out_of_order,
        contradictions,
        negative,
        delivery_p50,
        delivery_p95,
        reading_p50,
        reading_p95,
        sent_to_delivered,
        delivered_to_read,
        version,
    )
