"""Steps with traces: a span for each batch that holds records of a sampled request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.tracing import Tracer
from processors.batched import Outbox, Step


class TracedStep:
    """A step whose decisions are written as spans; everything else is the step's own."""

    def __init__(self, step: Step, tracer: Tracer, topic: str, partition: int) -> None:
        self._step = step
        self._tracer = tracer
        self._topic = topic
        self._partition = partition
        self.checkpoint = step.checkpoint
        self.written = step.written
        self.wants_checkpoint = step.wants_checkpoint
        self.committed = step.committed
        self.rewrite = step.rewrite

    def process(self, records: Sequence[Any], outbox: Outbox) -> None:
        """Let the step decide within a span."""
        with self._tracer.batch(
            f"process {self._topic}",
            records,
            {
                "messaging.destination.name": self._topic,
                "messaging.destination.partition.id": str(self._partition),
                "messaging.batch.message_count": len(records),
            },
        ):
            self._step.process(records, outbox)


def traced(step: Step, tracer: Tracer | None, topic: str, partition: int) -> Step:
    """Return the step, with traces where there is a tracer."""
    return step if tracer is None else TracedStep(step, tracer, topic, partition)
