"""Raw records, and which of them count: a replayed copy is the record it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record of im.events.raw. Times are epoch milliseconds."""

    partition: int
    offset: int
    value: bytes
    received_ms: int
    """The header `received`."""
    source: str = ""
    """The header `source`: webhook, spool, replay or simulator."""
    origin: tuple[int, int] | None = None
    """The header `origin` of a replayed record: partition and offset of its first copy."""


def parse_origin(text: str) -> tuple[int, int]:
    """Read the header `origin`, `partition:offset`."""
    partition, offset = text.split(":")
    return int(partition), int(offset)


def distinct(records: Iterable[RawRecord]) -> list[RawRecord]:
    """Return each record once, in partition and offset order.

    A replayed copy stands in only where the record it was made from is not given.
    """
    found: dict[tuple[int, int], RawRecord] = {}
    for record in records:
        place = record.origin or (record.partition, record.offset)
        if record.origin is None:
            found[place] = record
        else:
            found.setdefault(place, replace(record, partition=place[0], offset=place[1]))
    return [found[place] for place in sorted(found)]


def of_bodies(bodies: Sequence[bytes], received_ms: int) -> list[RawRecord]:
    """Give elements offsets in the order they were sent, as if one partition had received them all at one moment."""
    return [RawRecord(0, offset, body, received_ms) for offset, body in enumerate(bodies)]
