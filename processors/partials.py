"""The window partials of one raw partition: absolute counts, each complete up to the last raw offset it has counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from core.kafka import partition_of
from processors import codec
from processors.places import Place
from processors.ports import Append, Outbox
from processors.rules import DELIVERED, READ, Applied, Duplicate
from processors.windows import Minutes, Moment, Partial, Windows, is_late, minute_of
from schemas import keys, topics

Channel = tuple[str, str]
"""Org and channel id."""
OFF_LADDER: Final = -1
"""The rank of a status that has none."""


class Partials:
    """Partials by window. A record counts on a partial only when its offset is above the partial's `last`."""

    def __init__(self, partition: int, partitions: int, window_retention: int, closed_after: int) -> None:
        """Begin empty; `window_retention` says what is late, `closed_after` when a window hears of nothing more, ms."""
        self.stamp = 0
        """Changes whenever a window that was looked up before must be looked up again."""
        self.late = self.closed = 0
        """Records that were late, or came for a window that is closed, since the start."""
        self._channels: dict[Channel, Windows] = {}
        """A channel stays, with or without windows: places remember it."""
        self._minutes = Minutes[Windows]()
        """The channels that have a window, by its start."""
        self._changed: list[tuple[Windows, Partial]] = []
        """To be published at the next checkpoint: counted on, or perhaps lost in a crash before it was published."""
        self._retention = window_retention
        self._closed_after = closed_after
        self._partition = partition
        self._partitions = partitions

    def __len__(self) -> int:
        return sum(len(windows.open) for windows in self._channels.values())

    def __iter__(self) -> Iterator[Partial]:
        for windows in self._channels.values():
            yield from windows.open.values()

    # --- recovery ---------------------------------------------------------------------------------------------------

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the changelog; None drops the window. Raises UnknownFormatError."""
        if value is None:
            org_id, channel_id, start = keys.split(key)
            self.stamp += 1
            self._of((org_id, channel_id)).open.pop(int(start), None)
            return
        record = codec.decode_partial(key, value)
        windows = self._of((record.org_id, record.channel_id))
        partial = windows.open.get(record.start)
        if partial is None:
            partial = self._begin(windows, record.start)
        if partial.last < record.last:
            partial.restore(record.counts, record.sent_to_delivered, record.delivered_to_read, record.last)

    def mark_all(self) -> None:
        """Publish every window again at the next checkpoint."""
        for windows in self._channels.values():
            for partial in windows.open.values():
                self._mark(windows, partial)

    # --- counting ---------------------------------------------------------------------------------------------------

    def count(self, channel: Channel, at: Moment, rank: int, outcome: Applied | Duplicate, watermark: int) -> None:
        """Count a status record in the window of its time, and the latencies that it completes in theirs.

        One that is late counts as such in the window of its received time. `rank` may be OFF_LADDER.
        """
        windows = self._of(channel)
        late = is_late(at.time, at.received, self._retention)
        own = self._window(windows, at.received if late else at.time, at.offset, watermark)
        if late:
            self.late += 1
            if own is not None:
                own.late += 1
        elif own is not None:
            _count_outcome(own, rank, outcome)
        self._complete(own, windows, at, outcome, watermark)

    def count_usual(self, place: Place, at: Moment, rank: int, outcome: Applied | Duplicate, watermark: int) -> None:
        """Do what `count` does, in fewer steps where all of it belongs into one window."""
        time, received, offset = at.time, at.received, at.offset
        if is_late(time, received, self._retention):
            self.count((place.org_id, place.channel_id), at, rank, outcome, watermark)
            return
        own: Partial | None = place.partial
        start = minute_of(time)
        if (
            place.stamp != self.stamp
            or place.partial.start != start
            or offset <= place.partial.last
            or start < watermark - self._closed_after
        ):
            own = self._window(self._windows_of(place), time, offset, watermark)
            if own is not None:
                place.partial, place.stamp = own, self.stamp
        if own is not None and _count_here(own, rank, outcome):
            own.last = offset
            return
        if own is not None:
            _count_outcome(own, rank, outcome)
        self._complete(own, self._windows_of(place), at, outcome, watermark)

    def _complete(
        self, own: Partial | None, windows: Windows, at: Moment, outcome: Applied | Duplicate, watermark: int
    ) -> None:
        """Count the latencies that a record completes; then only is its own window done with it: it may be theirs."""
        if isinstance(outcome, Applied) and outcome.completes:
            self._measure(windows, at, outcome, watermark)
        if own is not None:
            own.last = at.offset

    def _measure(self, windows: Windows, at: Moment, outcome: Applied, watermark: int) -> None:
        """Count the latencies that a record completes."""
        delivered = read = None
        delivery, reading = outcome.sent_to_delivered_ms, outcome.delivered_to_read_ms
        if delivery is not None and not is_late(outcome.delivered_time, at.received, self._retention):
            delivered = self._window(windows, outcome.delivered_time, at.offset, watermark)
            if delivered is not None:
                delivered.measure_delivery(delivery)
        if reading is not None and not is_late(outcome.read_time, at.received, self._retention):
            read = self._window(windows, outcome.read_time, at.offset, watermark)
            if read is not None:
                read.measure_reading(reading)
        # Only now: both latencies may belong to one window.
        for window in (delivered, read):
            if window is not None:
                window.last = at.offset

    def _window(self, windows: Windows, time: int, offset: int, watermark: int) -> Partial | None:
        """Return the partial to count a record on, or None when it has counted it already or is closed.

        A closed one counts nothing more, though it may still be kept: what follows from a record must not hang on when
        the last checkpoint was.
        """
        start = minute_of(time)
        partial = windows.open.get(start)
        if start < watermark - self._closed_after and (partial is None or offset > partial.last):
            self.closed += 1
            return None
        if partial is None:
            partial = self._begin(windows, start)
        self._mark(windows, partial)
        return partial if offset > partial.last else None

    def _windows_of(self, place: Place) -> Windows:
        if place.windows is None:
            place.windows = self._of((place.org_id, place.channel_id))
        return place.windows

    def _of(self, channel: Channel) -> Windows:
        windows = self._channels.get(channel)
        if windows is None:
            windows = self._channels[channel] = Windows(*channel)
        return windows

    def _begin(self, windows: Windows, start: int) -> Partial:
        partial = windows.open[start] = Partial(start)
        self._minutes.add(start, windows)
        return partial

    def _mark(self, windows: Windows, partial: Partial) -> None:
        if not partial.marked:
            partial.marked = True
            self._changed.append((windows, partial))

    # --- checkpoint -------------------------------------------------------------------------------------------------

    def checkpoint(self, outbox: Outbox, log: Append, seen: int, covered: int) -> None:
        """Append every changed partial to the changelog and to the second step; drop windows that are closed.

        `seen` is the newest received time of what this process has counted, `covered` of what its earlier checkpoints
        have published: only until then may the second step take windows for complete. A window that is published here
        is dropped next time: a crash may lose what is published, and not the tombstone.
        """
        self._drop(seen - self._closed_after, log)
        publish: dict[int, Append] = {}
        for windows, partial in self._changed:
            partial.marked = False
            key = windows.key(partial.start)
            value = codec.encode_partial(self._partition, windows, partial, covered)
            log(key, value)
            number = partition_of(key, self._partitions)
            if number not in publish:
                publish[number] = outbox.to(topics.PARTIALS, number)
            publish[number](key, value)
        self._changed.clear()
        self.stamp += 1

    def _drop(self, limit: int, log: Append) -> None:
        for start, windows in self._minutes.take_closed(limit):
            partial = windows.open.get(start)
            if partial is None:
                continue
            if partial.marked:
                self._minutes.add(start, windows)
                continue
            log(windows.key(start), None)
            del windows.open[start]
            if not windows.open:
                windows.open.clear()  # an empty dictionary keeps the room that it once had


def _count_here(partial: Partial, rank: int, outcome: Applied | Duplicate) -> bool:
    """Count a record and what it completes on its own window; False, and nothing is done, where that is elsewhere."""
    if type(outcome) is not Applied:
        partial.duplicates += 1
        return True
    delivery, reading = outcome.sent_to_delivered_ms, outcome.delivered_to_read_ms
    if (delivery is not None and rank != DELIVERED) or (reading is not None and rank != READ):
        return False
    _count_outcome(partial, rank, outcome)
    if delivery is not None:
        partial.measure_delivery(delivery)
    elif reading is not None:
        partial.measure_reading(reading)
    return True


def _count_outcome(partial: Partial, rank: int, outcome: Applied | Duplicate) -> None:
    """Count a record that is not late in the window of its own minute."""
    if type(outcome) is not Applied:
        partial.duplicates += 1
        return
    partial.count(rank)
    if outcome.out_of_order:
        partial.out_of_order += 1
    if outcome.contradiction:
        partial.contradictions += 1
