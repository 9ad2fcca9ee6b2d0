"""Raw records, and which of them count: a replayed copy is the record it was made from."""

from __future__ import annotations

import re
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


NOWHERE = (-1, -1)
"""The origin of a record whose header `origin` cannot be read."""


def parse_origin(text: str | None) -> tuple[int, int] | None:
    """Read the header `origin`, `partition:offset`; None where there is none."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]+):([0-9]+)", text)
    return (int(match[1]), int(match[2])) if match else NOWHERE


def misled(record: RawRecord) -> bool:
    """Tell whether a record claims to be a copy of one that cannot have been its first copy."""
    if record.origin is None:
        return False
    partition, offset = record.origin
    return partition != record.partition or offset >= record.offset


def distinct(records: Iterable[RawRecord]) -> list[RawRecord]:
    """Return each record once, in partition and offset order.

    A replayed copy stands in only where the record it was made from is not given. One that is the copy of nothing is a
    dead letter and no event of the source.
    """
    found: dict[tuple[int, int], RawRecord] = {}
    for record in sorted(records, key=lambda each: (each.partition, each.offset)):
        if record.origin is None:
            found[record.partition, record.offset] = record
        elif not misled(record):
            partition, offset = record.origin
            found.setdefault(record.origin, replace(record, partition=partition, offset=offset, origin=None))
    return [found[place] for place in sorted(found)]


def of_bodies(bodies: Sequence[bytes], received_ms: int) -> list[RawRecord]:
    """Give elements offsets in the order they were sent, as if one partition had received them all at one moment."""
    return [RawRecord(0, offset, body, received_ms) for offset, body in enumerate(bodies)]
