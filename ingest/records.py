"""The batches of a produce round, filled from what requests leave behind."""

from __future__ import annotations

from collections.abc import Iterator

from core.kafka import partition_of
from core.kafka_writer import Batch, Headers, Run, encode_headers
from ingest.body import Accepted


class Batches:
    """The batches of one topic that are produced together, by partition."""

    __slots__ = ("_runs",)

    def __init__(self, partitions: int, limit: int, *, lz4: bool) -> None:
        """Begin with none; each is to have at most `limit` bytes before compression."""
        self._runs = [Run(limit, lz4=lz4) for _ in range(partitions)]

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Yield each batch with its partition."""
        for partition, run in enumerate(self._runs):
            for batch in run.batches:
                yield partition, batch

    def add_events(self, stamp: int, events: list[Accepted]) -> None:
        """Add the events of a request, each to the partition of its key."""
        last, headers = None, b""
        for key, value, group in events:
            if group is not last:
                last, headers = group, encode_headers(group.headers)
            self._runs[partition_of(key, len(self._runs))].append(stamp, key, value, headers)

    def add_letter(self, stamp: int, value: bytes, headers: Headers) -> None:
        """Add a dead letter: without a key, to the partition of its text."""
        self._runs[partition_of(value, len(self._runs))].append(stamp, None, value, encode_headers(headers))
