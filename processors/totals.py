"""The second step: totals of each channel window over all raw partitions.

An engine without I/O for one partition of the partials topic: it keeps, per window, the newest partial of every raw
partition, and publishes their sum. Storing the same partial twice changes nothing, so any repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import add as plus
from typing import Final

import msgspec

from processors import codec, windows
from processors.changelog import PartialRecord
from processors.ports import Outbox, Record
from processors.receipts import Retention
from processors.windows import MINUTE_MS, WindowKey
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
        self._windows: dict[WindowKey, dict[int, PartialRecord]] = {}
        self._changed: dict[tuple[WindowKey, int], bytes] = {}
        self._dirty: set[WindowKey] = set()
        self._watermarks: dict[int, int] = {}
        self._swept = 0

    @property
    def windows(self) -> int:
        """Windows kept."""
        return len(self._windows)

    @property
    def dirty(self) -> bool:
        """Whether a checkpoint has totals to publish."""
        return bool(self._dirty)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the totals changelog; None drops a window's partial."""
        if value is not None:
            partial = codec.decode_partial(key, value)
            self._store(partial.key, partial)
            return
        org_id, channel_id, start, raw_partition = keys.split(key)
        window = (org_id, channel_id, int(start))
        partials = self._windows.get(window, {})
        partials.pop(int(raw_partition), None)
        if not partials:
            self._windows.pop(window, None)

    def process(self, records: Iterable[Record]) -> None:
        """Store the partials that are newer than what is stored, and mark their windows to be published."""
        for record in records:
            value = record.value or b""
            partial = codec.decode_partial(record.key or b"", value)
            window = partial.key
            ahead = self._store(window, partial)
            if ahead > 0:
                self._changed[window, partial.raw_partition] = value
            # The very same partial again: a crash may have come between storing and publishing it.
            if ahead >= 0:
                self._dirty.add(window)

    def mark_all(self) -> None:
        """Write and publish every window again at the next checkpoint."""
        for window, partials in self._windows.items():
            self._dirty.add(window)
            for raw_partition, record in partials.items():
                self._changed[window, raw_partition] = codec.encode_record(record)

    def checkpoint(self, outbox: Outbox) -> None:
        """Append every changed partial to the changelog and the total of every marked window; drop what is closed."""
        log = outbox.to(topics.changelog(topics.TOTALS_TABLE), self.partition)
        for (window, raw_partition), value in self._changed.items():
            log(_changelog_key(window, raw_partition), value)
        self._changed.clear()
        publish = outbox.to(topics.WINDOWS, self.partition)
        for window in self._dirty:
            org_id, channel_id, begin = window
            start = to_iso(begin)
            total = _total(org_id, channel_id, start, list(self._windows[window].values()))
            publish(keys.join(org_id, channel_id, start), _encode(total))
        self._dirty.clear()
        for window in self._closed():
            for raw_partition in self._windows.pop(window):
                log(_changelog_key(window, raw_partition), None)

    def _store(self, window: WindowKey, partial: PartialRecord) -> int:
        """Keep a partial that is ahead of the one that is kept; return by how many offsets, 1 where none is kept."""
        raw_partition = partial.raw_partition
        self._watermarks[raw_partition] = max(self._watermarks.get(raw_partition, 0), partial.watermark)
        partials = self._windows.get(window)
        if partials is None:
            partials = self._windows[window] = {}
        known = partials.get(raw_partition)
        ahead = 1 if known is None else partial.last - known.last
        if ahead > 0:
            partials[raw_partition] = partial
        return ahead

    def _closed(self) -> list[WindowKey]:
        """Return the windows of which no raw partition can tell anything new."""
        limit = self._closed_before()
        if limit < self._swept + MINUTE_MS:
            return []
        self._swept = limit
        return [window for window in self._windows if window[2] < limit]

    def _closed_before(self) -> int:
        if not self._watermarks:
            return 0
        # A raw partition that lags may still tell of old minutes; one that is silent must not keep windows for ever.
        slowest = min(self._watermarks.values()) if len(self._watermarks) == self._partitions else 0
        return max(slowest - self._retention.closed, max(self._watermarks.values()) - self._retention.state)


def _changelog_key(window: WindowKey, raw_partition: int) -> bytes:
    org_id, channel_id, start = window
    return keys.join(org_id, channel_id, str(start), str(raw_partition))


def _total(org_id: str, channel_id: str, start: str, partials: list[PartialRecord]) -> ChannelWindow:
    """Sum a window's newest partials of all raw partitions into what is published; `start` is ISO text."""
    first = partials[0]
    counts, version = first.counts, first.last + 1
    sent_to_delivered, delivered_to_read = first.sent_to_delivered, first.delivered_to_read
    if len(partials) > 1:
        sent_to_delivered, delivered_to_read = dict(sent_to_delivered), dict(delivered_to_read)
        for partial in partials[1:]:
            counts = list(map(plus, counts, partial.counts))
            sketch.merge(sent_to_delivered, partial.sent_to_delivered)
            sketch.merge(delivered_to_read, partial.delivered_to_read)
            version += partial.last + 1
    delivery_p50, delivery_p95 = sketch.p50_and_p95(sent_to_delivered)
    reading_p50, reading_p95 = sketch.p50_and_p95(delivered_to_read)
    return ChannelWindow(
        org_id,
        channel_id,
        start,
        counts[windows.SENT],
        counts[windows.DELIVERED],
        counts[windows.READ],
        counts[windows.OTHER],
        counts[windows.DUPLICATES],
        counts[windows.LATE],
        counts[windows.OUT_OF_ORDER],
        counts[windows.CONTRADICTIONS],
        counts[windows.NEGATIVE],
        delivery_p50,
        delivery_p95,
        reading_p50,
        reading_p95,
        sent_to_delivered,
        delivered_to_read,
        version,
    )
