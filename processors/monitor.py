"""What a running processor tells of itself: readiness, metrics, the progress of a recovery; and its watchdog."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

from core import logs, metrics
from processors.app import Processor
from processors.batched.app import EXIT_FAILED
from processors.watchdog import Watchdog
from schemas import topics

log = logs.get(__name__)

RECOVERY_LINE_EVERY_S = 5.0


def why_not_ready(processor: Processor) -> str:
    """Return '' when every assigned partition is recovered and read."""
    app = processor.app
    if not app.started or app.rebalancing:
        return "joining the consumer group"
    if app.in_recovery or not app.tables.actives_ready:
        return f"rebuilding the state from the changelogs: {remaining(processor)} records to go"
    return ""


def remaining(processor: Processor) -> int:
    """Return how many changelog records of assigned partitions are still to be read."""
    app = processor.app
    if not app.started or not app.in_recovery:
        return 0
    tables: Any = app.tables
    return max(0, int(tables.recovery.active_remaining_total()))


class Monitor:
    """Looks at a processor once a second."""

    def __init__(self, processor: Processor, patience_s: float) -> None:
        self._processor = processor
        self._watchdog = Watchdog(patience_s)
        self._recovered = 0
        """Changelog records read since the start."""
        self._told = 0
        """`_recovered` when the last recovery ended."""
        self._ended: float | None = None
        """When the last recovery that was told ended."""
        self._said = 0.0

    def look(self) -> None:
        """Publish the metrics and the progress; end the process when it is stuck."""
        self._publish()
        self._tell_recovery(monotonic())
        self._watch(monotonic())

    def _publish(self) -> None:
        engines = self._processor.engines
        for engine in engines.receipts.values():
            tally = engine.take_tally()
            for outcome in ("applied", "duplicate", "parked", "other", "forgotten"):
                metrics.PROCESSOR_RECORDS.labels(outcome).inc(getattr(tally, outcome))
            for (rule, state), count in tally.alerts.items():
                metrics.PROCESSOR_ALERTS.labels(rule, state).inc(count)
            metrics.PROCESSOR_LATE.inc(tally.late)
            metrics.PROCESSOR_TRANSPORT.labels("closed_window").inc(tally.closed)
        metrics.PROCESSOR_OPEN_MESSAGES.set(sum(engine.messages for engine in engines.receipts.values()))
        metrics.PROCESSOR_OPEN_WINDOWS.set(sum(engine.windows for engine in engines.receipts.values()))
        metrics.PROCESSOR_DEADLINES.set(sum(engine.alerts.pending for engine in engines.receipts.values()))
        for table in self._processor.tables:
            recovered, table.recovered = table.recovered, 0
            self._recovered += recovered
            metrics.PROCESSOR_RECOVERED.labels(table.name).inc(recovered)
        metrics.PROCESSOR_RECOVERY_REMAINING.set(remaining(self._processor))
        if self._processor.app.started:
            self._publish_transport()

    def _publish_transport(self) -> None:
        consumer = self._processor.app.batches
        for tp, lag in consumer.lag().items():
            if tp.topic == topics.RAW:
                metrics.PROCESSOR_LAG.labels(str(tp.partition)).set(lag)
        for kind, count in consumer.events.items():
            metrics.PROCESSOR_TRANSPORT.labels(kind).inc(count)
        consumer.events.clear()

    def _tell_recovery(self, now_s: float) -> None:
        app = self._processor.app
        if not app.started:
            return
        tables: Any = app.tables
        recovery = tables.recovery
        began, ended = recovery._recovery_started_at, recovery._recovery_ended_at  # noqa: SLF001 -- Faust only logs them
        if app.in_recovery and now_s - self._said >= RECOVERY_LINE_EVERY_S:
            self._said = now_s
            log.info("recovering", records=self._recovered - self._told, remaining=remaining(self._processor))
        elif not app.in_recovery and ended is not None and ended != self._ended:
            log.info("recovered", records=self._recovered - self._told, seconds=round(ended - began, 2))
            self._told, self._ended = self._recovered, ended

    def _watch(self, now_s: float) -> None:
        app = self._processor.app
        if not app.started:
            return
        consumer = app.batches
        lag = sum(consumer.lag().values())
        why = why_not_ready(self._processor)
        if self._watchdog.stalled(
            now_s, consumer.acknowledged + self._recovered, waiting=bool(lag or consumer.pending or why)
        ):
            log.critical("processor_stalled", lag=lag, waiting_for=why)
            # An orderly stop would wait for what is stuck; what was not acknowledged was not committed.
            os._exit(EXIT_FAILED)
