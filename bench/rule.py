"""The rule alone, for the baselines: what a raw record does to its message's state, and the transition it makes.

With the product's own pure modules, so that every baseline decodes, decides and writes what the product does, and does
nothing else: no windows, no deadlines, no dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors import rules
from processors.codec import encode_fact, fact_key
from processors.reading import Raw, clocks_of, transition_row
from schemas import topics
from schemas.events import decode
from schemas.shapes import StatusEvent

PRODUCER = {"acks": "all", "enable.idempotence": True, "linger.ms": 20, "compression.type": "lz4"}
"""The options of every baseline's librdkafka producer."""


class Told(NamedTuple):
    """What a record that applies has told."""

    event: StatusEvent
    known: int
    """All that is known of its message now."""
    transition: bytes
    time: int
    offset: int
    received: int

    @property
    def key(self) -> bytes:
        """The transition's key."""
        return self.event.message_id.encode()

    @property
    def fact(self) -> tuple[bytes, bytes]:
        """Key and value of the changelog's record, as the product writes it."""
        event = self.event
        value = encode_fact(self.time, self.offset, self.received, event.channel_id, event.session_id)
        return fact_key(event.org_id, event.message_id, event.new_status), value


def tell(
    event: StatusEvent, headers: Iterable[tuple[str, bytes]], known: int, partition: int, offset: int
) -> Told | None:
    """Return what a receipt tells, given what is known of its message; nothing when it does not apply."""
    rank = rules.RANKS.get(event.new_status)
    if rank is None:
        return None
    received = int(dict(headers)[topics.HEADER_RECEIVED])
    clocks = clocks_of(event, received)
    outcome = rules.decide(known, rank, clocks.time, offset, event.old_status)
    if not isinstance(outcome, rules.Applied):
        return None
    row = transition_row(event, Raw(offset, received, replayed=False), clocks, outcome, partition)
    known |= rules.pack(clocks.time, offset, received) << rank * rules.FACT_BITS
    return Told(event, known, row, clocks.time, offset, received)


def receipt(value: bytes) -> StatusEvent | None:
    """Return the receipt in a raw record's value, if it is one."""
    event = decode(value)
    return event if isinstance(event, StatusEvent) else None
