"""The two steps as the batch transport drives them, and the engines by partition that the tables restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.clock import now_ms
from processors.ports import Outbox
from processors.receipts import Receipts, Retention
from processors.state import State
from processors.totals import Totals
from schemas import topics
from schemas.alert_rules import MessageRule


class ReceiptsStep:
    """Raw records of one partition to facts, transitions, dead letters and partials."""

    def __init__(self, engine: Receipts) -> None:
        self._engine = engine

    def process(self, records: Sequence[Any], outbox: Outbox) -> None:
        """Decide on raw records."""
        self._engine.process(records, outbox, now_ms())

    def checkpoint(self, outbox: Outbox) -> None:
        """Write and publish the partials that changed."""
        self._engine.checkpoint(outbox)

    def written(self) -> None:
        """Let the state go to disk as far as the changelog has it."""
        self._engine.written()

    def wants_checkpoint(self, seen_until: int | None) -> bool:
        """Tell whether an alert is due."""
        return self._engine.tick(seen_until)

    def committed(self, offset: int) -> None:
        """Let the engine forget what no record can be read again of."""
        self._engine.committed = offset

    def rewrite(self, topic: str, partition: int) -> None:
        """Write the partials again. Facts need it not: whoever writes a fact writes the same one."""
        if topic == topics.changelog(topics.PARTIALS_TABLE) and partition == self._engine.partition:
            self._engine.mark_all()


class TotalsStep:
    """Partials of one partition to totals."""

    def __init__(self, engine: Totals) -> None:
        self._engine = engine

    def process(self, records: Sequence[Any], outbox: Outbox) -> None:
        """Store partials."""
        del outbox
        self._engine.process(records)

    def checkpoint(self, outbox: Outbox) -> None:
        """Write the partials that changed and publish their windows' totals."""
        self._engine.checkpoint(outbox)

    def written(self) -> None:
        """Do nothing: the changelog alone holds this state."""

    def wants_checkpoint(self, seen_until: int | None) -> bool:
        """Tell that nothing happens here by itself."""
        del seen_until
        return False

    def committed(self, offset: int) -> None:
        """Do nothing: a partial that comes again changes nothing."""

    def rewrite(self, topic: str, partition: int) -> None:
        """Write the partials again."""
        if topic == topics.changelog(topics.TOTALS_TABLE) and partition == self._engine.partition:
            self._engine.mark_all()


class Engines:
    """The engines of the partitions that this process holds; made when first asked for, dropped when forgotten."""

    def __init__(
        self,
        partitions: int,
        retention: Retention,
        open_state: Callable[[int], State],
        watch: tuple[MessageRule, ...] = (),
    ) -> None:
        self._watch = watch
        self._partitions = partitions
        self._retention = retention
        self._open_state = open_state
        self.receipts: dict[int, Receipts] = {}
        self.totals: dict[int, Totals] = {}

    def receipts_of(self, partition: int) -> Receipts:
        """Return the first step's engine of a raw partition."""
        if partition not in self.receipts:
            self.receipts[partition] = Receipts(
                partition, self._partitions, self._retention, self._open_state(partition), self._watch
            )
        return self.receipts[partition]

    def totals_of(self, partition: int) -> Totals:
        """Return the second step's engine of a partition of the partials topic."""
        if partition not in self.totals:
            self.totals[partition] = Totals(partition, self._partitions, self._retention)
        return self.totals[partition]

    def restore_facts(self, partition: int, records: Sequence[Any]) -> None:
        """Apply records of the messages changelog."""
        receipts = self.receipts_of(partition)
        for record in records:
            receipts.restore_fact(record.key, record.value)
        self.facts_position(partition, records[-1].offset)
        receipts.state.flush()

    def facts_on_disk(self, partition: int) -> int | None:
        """Return the offset of the messages changelog up to which the disk holds the state."""
        return self.receipts_of(partition).state.position

    def facts_position(self, partition: int, offset: int) -> None:
        """Note how far the state has the messages changelog; it goes to disk with what is written next."""
        self.receipts_of(partition).state.position = offset

    def restore_windows(self, partition: int, records: Sequence[Any]) -> None:
        """Apply records of the partials changelog."""
        restore = self.receipts_of(partition).restore_window
        for record in records:
            restore(record.key, record.value)

    def restore_totals(self, partition: int, records: Sequence[Any]) -> None:
        """Apply records of the totals changelog."""
        restore = self.totals_of(partition).restore
        for record in records:
            restore(record.key, record.value)

    def forget_receipts(self, partition: int) -> None:
        """Drop the first step's state of a partition."""
        engine = self.receipts.pop(partition, None)
        if engine is not None:
            engine.state.close()

    def forget_totals(self, partition: int) -> None:
        """Drop the second step's state of a partition."""
        self.totals.pop(partition, None)
