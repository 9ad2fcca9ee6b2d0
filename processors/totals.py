"""The second step: totals of each channel window over all raw partitions.

An engine without I/O for one partition of the partials topic: it keeps, per window, the newest partial of every raw
partition, and publishes their sum. Storing the same partial twice changes nothing, so any repeat is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from processors import codec
from processors.changelog import PartialRecord
from processors.ports import Outbox, Record
from processors.receipts import Retention
from processors.windows import MINUTE_MS, WindowKey, total
from schemas import keys, topics
from schemas.times import to_iso

_encode: Final = msgspec.json.Encoder().encode
_NEVER: Final = -1


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
            self._store(codec.decode_partial(key, value))
            return
        org_id, channel_id, start, raw_partition = keys.split(key)
        window = WindowKey(org_id, channel_id, int(start))
        partials = self._windows.get(window, {})
        partials.pop(int(raw_partition), None)
        if not partials:
            self._windows.pop(window, None)

    def process(self, records: Iterable[Record]) -> None:
        """Store the partials that are newer than what is stored, and mark their windows to be published."""
        for record in records:
            key, value = record.key or b"", record.value or b""
            partial = codec.decode_partial(key, value)
            stored = self._store(partial)
            if stored:
                self._changed[partial.key, partial.raw_partition] = value
            # The very same partial again: a crash may have come between storing and publishing it.
            if stored or self._last(partial) == partial.last:
                self._dirty.add(partial.key)

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
            partials = [record.partial() for record in self._windows[window].values()]
            name = keys.join(window.org_id, window.channel_id, to_iso(window.start))
            publish(name, _encode(total(window, partials)))
        self._dirty.clear()
        for window in self._closed():
            for raw_partition in self._windows.pop(window):
                log(_changelog_key(window, raw_partition), None)

    def _store(self, partial: PartialRecord) -> bool:
        raw_partition = partial.raw_partition
        self._watermarks[raw_partition] = max(self._watermarks.get(raw_partition, 0), partial.watermark)
        if self._last(partial) >= partial.last:
            return False
        self._windows.setdefault(partial.key, {})[raw_partition] = partial
        return True

    def _last(self, partial: PartialRecord) -> int:
        stored = self._windows.get(partial.key, {}).get(partial.raw_partition)
        return stored.last if stored else _NEVER

    def _closed(self) -> list[WindowKey]:
        """Return the windows of which no raw partition can tell anything new."""
        limit = self._closed_before()
        if limit < self._swept + MINUTE_MS:
            return []
        self._swept = limit
        return [window for window in self._windows if window.start < limit]

    def _closed_before(self) -> int:
        if not self._watermarks:
            return 0
        # A raw partition that lags may still tell of old minutes; one that is silent must not keep windows for ever.
        slowest = min(self._watermarks.values()) if len(self._watermarks) == self._partitions else 0
        return max(slowest - self._retention.closed, max(self._watermarks.values()) - self._retention.state)


def _changelog_key(window: WindowKey, raw_partition: int) -> bytes:
    return keys.join(window.org_id, window.channel_id, str(window.start), str(raw_partition))
