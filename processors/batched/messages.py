"""The one Faust message that stands for many records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faust.types import TP
from faust.types.tuples import ConsumerMessage


class RecordBatch(ConsumerMessage):
    """A run of records of one partition, in offset order."""

    __slots__ = ("epoch", "last", "records")

    def __init__(self, tp: TP, records: Sequence[Any], epoch: int, generation_id: int) -> None:
        """Wrap records fetched in `epoch` (see BatchConsumer) under the group's `generation_id`."""
        first = records[0]
        super().__init__(
            tp.topic,
            tp.partition,
            first.offset,
            first.timestamp / 1000.0,
            0,
            None,
            None,
            b"",
            None,
            tp=tp,
            generation_id=generation_id,
        )
        self.records = records
        self.last: int = records[-1].offset
        self.epoch = epoch
