"""What the engines need of the world: records to read and somewhere to append."""

from __future__ import annotations

from typing import Protocol

from core.kafka_reader import Headers


class Record(Protocol):
    """A Kafka record, as aiokafka's own record objects have it."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Epoch ms, set by the producer."""

    @property
    def key(self) -> bytes | None:
        """The key's bytes."""

    @property
    def value(self) -> bytes | None:
        """The value's bytes."""

    @property
    def headers(self) -> Headers:
        """The headers, in order."""


class Append(Protocol):
    """Appends a record to one partition of one topic."""

    def __call__(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]] = ..., /) -> None:
        """Append; a value of None is a tombstone."""


class Outbox(Protocol):
    """Collects the records of one step, so that they are sent and acknowledged together."""

    def to(self, topic: str, partition: int) -> Append:
        """Return what appends to a partition of a topic."""
