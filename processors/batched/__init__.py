"""Batches instead of single events for Faust: one stream message stands for a run of records of one partition.

Canonical Faust spends a task, a queue hop, a sensor call and a future on every record, and a producer call on every
table write. Here a fetch reaches the agent whole, a step decides on all of it, and its table writes and outputs go out
as record batches whose acknowledgement is awaited before the source offset may be committed.

What a user of the package writes
    app = BatchApp("id", broker=..., ...)              a Faust app on the batch transport
    table = BatchTable(app, name=..., restore=...)     a table that recovers whole fetches and writes nothing by itself
    app.step(topic, make_step, every=seconds)          a `Step` for each assigned partition of a topic

What it guarantees
    * A step sees the records of a partition in offset order without gaps or repeats; after a crash or a rebalance it
      begins again at the committed offset. Before partitions move or a process stops, all that was begun is finished
      and committed.
    * An offset is committed only after everything the step appended for the records up to it, and the checkpoint that
      follows them, was acknowledged by all in-sync replicas, in the order in which it was appended.
    * What was fetched before a seek or a revocation never reaches a step after it.
    * A table is recovered to the end of its changelog before its step sees a record; partitions that stay assigned are
      not read again.
    * Whatever cannot be written stops the process without committing.

Limits
    * At-least-once: outputs may repeat after a crash. Steps make repeats harmless (see `processors.receipts`).
    * One changelog partition for each source partition; no windowed tables, no joins, no `exactly_once`.
    * It relies on private attributes of the pinned faust-streaming and aiokafka; `tests/processors/test_guard.py` names
      each and fails when one moves.
"""

from processors.batched.app import BatchApp
from processors.batched.lane import Step
from processors.batched.outbox import Outbox
from processors.batched.table import BatchTable

__all__ = ["BatchApp", "BatchTable", "Outbox", "Step"]
