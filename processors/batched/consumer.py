"""The consumer: delivers whole fetches, recovers changelogs a fetch at a time, commits only what is acknowledged.

Epochs. Faust fetches in one coroutine and seeks in another, so a fetch may have begun before a seek and end after it.
Every seek and revocation raises the epoch; what was fetched in an older epoch is void.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from core import failpoints, logs
from processors.batched.cursor import Cursor, Seek
from processors.batched.messages import RecordBatch
from processors.batched.table import BatchTable

log = logs.get(__name__)


class BatchConsumer(driver.Consumer):
    """A Faust consumer whose stream messages are record batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.events: Counter[str] = Counter()
        """Rare events by kind, for metrics."""
        self.acknowledged = 0
        """Batches acknowledged since the start."""
        self.committed: dict[TP, int] = {}
        """By partition: below this offset nothing will be read again. Faust's own note counts failed commits, too."""
        self.drain: Callable[[], Awaitable[None]] | None = None
        """Set by the app: finishes what the lanes have begun, so that it can be committed."""
        self._epoch = 0
        self._frozen = False
        self._cursors: dict[TP, Cursor] = {}
        self._void: set[TP] = set()
        self._changelog_epoch = 0
        self._changelog_next: dict[TP, int] = {}

    # --- source partitions ------------------------------------------------------------------------------------------

    async def accept(self, batch: RecordBatch) -> Sequence[Any]:
        """Return the records of a batch that the step has not seen; empty when the batch is void or out of place."""
        self._unacked_messages.discard(batch)
        cursor = self._cursors.get(batch.tp)
        if self._frozen or cursor is None or batch.epoch != self._epoch:
            self.events["stale_batch"] += 1
            return ()
        start = cursor.accept(batch.offset, batch.last)
        if start is None:
            self.events["repeated_batch"] += 1
            return ()
        if isinstance(start, Seek):
            self.events["missing_batch"] += 1
            await self._thread.seek_wait({batch.tp: start.offset})
            return ()
        self._unacked_messages.add(batch)
        if start == batch.offset:
            return batch.records
        return [record for record in batch.records if record.offset >= start]

    def ack(self, message: Any) -> bool:
        """Mark a batch as done: everything that follows from it is acknowledged."""
        if not isinstance(message, RecordBatch):
            return bool(super().ack(message))
        message.acked = True
        self.acknowledged += 1
        self._unacked_messages.discard(message)
        cursor = self._cursors.get(message.tp)
        if cursor is not None and message.epoch == self._epoch:
            offset = cursor.ack(message.last)
            if offset is not None:
                self._acked[message.tp] = [offset]
        return True

    def _new_offset(self, tp: TP) -> int | None:
        committable = self._acked.pop(tp, None)
        return int(committable[-1]) if committable else None

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        failpoints.hit("consumer.commit")
        committed = await super()._commit(offsets)
        if committed:
            self.committed.update(offsets)
        failpoints.hit("consumer.committed")
        return committed

    async def perform_seek(self) -> None:
        """Seek every source partition to its committed offset, or to its first where nothing was ever committed."""
        self._epoch += 1
        committed = {ensure_TP(tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        # aiokafka leaves partitions without a commit where they are.
        unknown = [tp for tp, offset in committed.items() if not offset or offset < 0]
        if unknown:
            first = {ensure_TP(tp): offset or 0 for tp, offset in (await self.earliest_offsets(*unknown)).items()}
            await self._thread.seek_wait(first)
            committed.update(first)
        self._epoch += 1
        self._acked.clear()
        self._cursors = {tp: Cursor(offset) for tp, offset in committed.items() if not self._is_changelog_tp(tp)}
        self._committed_offset.update({tp: offset or None for tp, offset in committed.items()})
        self.committed = dict(committed)
        self._frozen = False

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Begin nothing new, finish and commit what was begun, then void everything fetched."""
        self.stop_flow()
        self._changelog_next.clear()
        self._changelog_epoch += 1
        if not self.app.should_stop:
            # Faust forgets first what waits for its commit, and commits then: up to an interval's records would repeat.
            await self.wait_empty()
        await super().on_partitions_revoked(revoked)
        self._epoch += 1
        self._cursors.clear()
        self._acked.clear()

    def stop_flow(self) -> None:
        """Begin nothing new until the next seek to the commits."""
        self._frozen = True
        super().stop_flow()

    async def wait_empty(self) -> None:
        """Let the lanes finish what they began, then commit it."""
        if self.drain is not None:
            await self.drain()
        # A commit that is under way does not know of what was finished since, and a second one only waits for it.
        await self.maybe_wait_for_commit_to_finish()
        await self.commit_and_end_transactions()

    def lag(self) -> dict[TP, int]:
        """Return the records of each source partition that no step has seen yet."""
        found = {}
        for tp, cursor in self._cursors.items():
            end: int | None = self.highwater(tp)
            if end is not None:
                found[tp] = 0 if self._is_through(tp, cursor, end) else max(0, end - cursor.processed)
        return found

    @property
    def pending(self) -> bool:
        """Whether anything that a step has seen still waits for its acknowledgement."""
        return any(cursor.pending for cursor in self._cursors.values())

    def seen_until(self) -> dict[TP, int | None]:
        """Return, by source partition, a moment (epoch ms) whose records the step has all seen; None where it lags."""
        if self._frozen:
            return {}
        found: dict[TP, int | None] = {}
        for tp, cursor in self._cursors.items():
            # Read before the end is: what is fetched in between makes the moment older, never newer.
            state = self._fetch_state(tp)
            moment = state.timestamp if state is not None else None
            end: int | None = self.highwater(tp)
            through = end is not None and self._is_through(tp, cursor, end)
            found[tp] = int(moment) if through and moment else None
        return found

    def _is_through(self, tp: TP, cursor: Cursor, end: int) -> bool:
        """Tell whether the step has seen everything up to `end`.

        Markers of transactions have offsets too: what was fetched past them to the end is no lag.
        """
        if cursor.processed >= end:
            return True
        state = self._fetch_state(tp)
        fetched = state.position if state is not None and state.has_valid_position else -1
        return cursor.processed == cursor.fetched and fetched >= end

    def _fetch_state(self, tp: TP) -> Any:
        """Return aiokafka's own state of an assigned partition; None while there is none."""
        consumer: Any = self._thread._consumer  # noqa: SLF001 -- nothing public is synchronous
        subscription = consumer._subscription.subscription if consumer is not None else None  # noqa: SLF001
        if subscription is None or tp not in subscription.assignment.tps:
            return None
        return subscription.assignment.state_value(tp)

    # --- fetching ---------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 -- as Faust's own does
                # A fetch that returns at once must still let others run.
                await asyncio.sleep(0)
                await self._fetch_once()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _fetch_once(self) -> None:
        await self._fetch_void_again()
        generation, epoch, changelog_epoch = self.app.consumer_generation_id, self._epoch, self._changelog_epoch
        fetched, _ = await self._wait_next_records(1.0)
        if not fetched or self.should_stop:
            return
        for found, records in fetched.items():
            tp = ensure_TP(found)
            if self._is_changelog_tp(tp):
                self._recover(tp, records, changelog_epoch)
            elif self._frozen or self._epoch != epoch or generation != self.app.consumer_generation_id:
                self.events["stale_fetch"] += 1
                self._void.add(tp)
            else:
                await self._deliver(tp, records, epoch, generation)

    async def _fetch_void_again(self) -> None:
        """Seek back what void fetches moved past: on a quiet topic nothing else would ever bring it."""
        again = {}
        for tp in list(self._void):
            if self._is_changelog_tp(tp):
                offset = self._changelog_next.get(tp)
            elif self._frozen:
                continue
            else:
                cursor = self._cursors.get(tp)
                offset = cursor.fetched if cursor is not None else None
            self._void.discard(tp)
            if offset is not None:
                again[tp] = offset
        if again:
            await self._thread.seek_wait(again)

    async def _deliver(self, tp: TP, records: Sequence[Any], epoch: int, generation: int) -> None:
        cursor = self._cursors.get(tp)
        if cursor is None:
            self.events["stale_fetch"] += 1
            self._void.add(tp)
            return
        before = cursor.lost
        delivered = cursor.deliver(records)
        if isinstance(delivered, Seek):
            self.events["gap_fetched_again"] += 1
            await self._thread.seek_wait({tp: delivered.offset})
            return
        if cursor.lost > before:
            self.events["lost_offsets"] += cursor.lost - before
            log.error("records_gone", topic=tp.topic, partition=tp.partition, records=cursor.lost - before)
        if delivered:
            batch = RecordBatch(tp, delivered, epoch, generation)
            await self.wait_first(self.callback(batch), self.suspend_flow.wait())
            self._read_offset[tp] = batch.last + 1

    # --- changelogs -------------------------------------------------------------------------------------------------

    async def seek_wait(self, partitions: Any) -> None:
        """Position changelog partitions: only what is fetched after this is applied."""
        self._changelog_epoch += 1
        await super().seek_wait(partitions)
        self._changelog_epoch += 1
        for found, offset in partitions.items():
            tp = ensure_TP(found)
            self._changelog_next[tp] = offset

    def _recover(self, tp: TP, records: Sequence[Any], epoch: int) -> None:
        tables: Any = self.app.tables
        recovery = tables.recovery
        table = recovery.tp_to_table.get(tp)
        if not isinstance(table, BatchTable) or tp not in self._changelog_next:
            return
        if epoch != self._changelog_epoch:
            self.events["stale_fetch"] += 1
            self._void.add(tp)
            return
        offsets = recovery.active_offsets if tp in recovery.active_tps else recovery.standby_offsets
        seen = offsets.get(tp)
        if seen is None or not records or records[0].offset > seen:
            fresh = records
        else:
            fresh = [record for record in records if record.offset > seen]
        if fresh:
            table.apply(tp, fresh)
            offsets[tp] = fresh[-1].offset
            self._changelog_next[tp] = fresh[-1].offset + 1
        self._maybe_end_recovery(recovery)

    def _maybe_end_recovery(self, recovery: Any) -> None:
        if recovery.in_recovery and not recovery.need_recovery():
            recovery.flush_buffers()
            recovery._set_recovery_ended()  # noqa: SLF001 -- what Faust's own slurper does
            recovery.signal_recovery_end.set()
