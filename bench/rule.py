"""The rule alone, for the baselines: what a raw record does to its message's state, and the transition it makes.

With the product's own pure modules, so that every baseline decodes, decides and writes what the product does, and does
nothing else: no windows, no deadlines, no dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from processors import rules
from processors.codec import encode_fact, fact_key
from schemas import topics
from schemas.events import StatusEvent, decode
from schemas.records import Transition
from schemas.times import parse_epoch, parse_iso, to_iso

_encode = msgspec.json.Encoder().encode


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
    time, rank = parse_iso(event.updated_time), rules.RANKS.get(event.new_status)
    if time is None or rank is None:
        return None
    outcome = rules.decide(known, rank, time, offset, event.old_status)
    if not isinstance(outcome, rules.Applied):
        return None
    received = int(dict(headers)[topics.HEADER_RECEIVED])
    event_time = parse_epoch(event.event_time)
    row = Transition(
        event.org_id,
        event.channel_id,
        event.session_id,
        event.message_id,
        event.old_status,
        event.new_status,
        to_iso(time),
        None if event_time is None else to_iso(event_time),
        to_iso(received),
        "updated",
        outcome.implied,
        outcome.out_of_order,
        outcome.contradiction,
        outcome.sent_to_delivered_ms,
        outcome.delivered_to_read_ms,
        partition,
        offset,
    )
    known |= rules.pack(time, offset, received) << rank * rules.FACT_BITS
    return Told(event, known, _encode(row), time, offset, received)


def receipt(value: bytes) -> StatusEvent | None:
    """Return the receipt in a raw record's value, if it is one."""
    event = decode(value)
    return event if isinstance(event, StatusEvent) else None
