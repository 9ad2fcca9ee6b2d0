"""A table that is recovered a fetch at a time, and whose changelog the step writes itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import faust
from faust.types import TP

from core import failpoints

Restore = Callable[[int, Sequence[Any]], None]
"""Applies changelog records (in offset order) to a partition's state."""
OnDisk = Callable[[int], int | None]
"""Returns the changelog offset up to which a partition's state is on disk; None: nothing is."""
Moved = Callable[[int, int], None]
"""Told of a partition's new position when its changelog has acknowledged what the step wrote."""
Forget = Callable[[int], None]
"""Drops a partition's state: it is recovered anew before it is used again."""


class BatchTable(faust.Table[bytes, bytes]):
    """The changelog of one part of a step's state; the state itself belongs to the step."""

    def __init__(
        self,
        app: Any,
        *,
        restore: Restore,
        forget: Forget,
        on_disk: OnDisk | None = None,
        moved: Moved | None = None,
        **kwargs: Any,
    ) -> None:
        """Make a table; `on_disk` and `moved` are for state that outlives the process."""
        super().__init__(app, key_type=bytes, value_type=bytes, **kwargs)
        self._restore = restore
        self._forget = forget
        self._on_disk = on_disk
        self._moved = moved
        self._positions: dict[TP, int] = {}
        self.recovered = 0
        """Changelog records applied since the start."""

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that the state holds, so that a partition kept is not read again."""
        if tp not in self._positions and self._on_disk is not None and tp.topic == self.changelog_topic_name:
            position = self._on_disk(tp.partition)
            if position is not None:
                self._positions[tp] = position
        return self._positions.get(tp)

    def apply(self, tp: TP, records: Sequence[Any]) -> None:
        """Apply fetched changelog records."""
        self._restore(tp.partition, records)
        self._positions[tp] = records[-1].offset
        self.recovered += len(records)
        failpoints.hit("table.restored")

    def wrote(self, partition: int, base: int, count: int) -> bool:
        """Note that `count` records of ours were acknowledged from offset `base` on.

        False when someone else wrote in between (a worker that does not know yet that it lost the partition): then the
        position stays, and the next recovery reads those records too.
        """
        tp = TP(self.changelog_topic_name, partition)
        if base != self._positions.get(tp, -1) + 1:
            return False
        self._positions[tp] = base + count - 1
        if self._moved is not None:
            self._moved(partition, base + count - 1)
        return True

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Drop the state of partitions that left or have just come."""
        tables: Any = self.app.tables
        for tp in set(revoked) | set(newly_assigned):
            if tp.topic == self.changelog_topic_name:
                self._positions.pop(tp, None)
                self._forget(tp.partition)
                tables.recovery.revoke(tp)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
