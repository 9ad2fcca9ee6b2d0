"""The receipt rules: what a status record means, given what is already known of its message.

Everything is decided from the record and the raw offsets of earlier records, never from the time of processing, so a
replay after a crash decides the same. "Known" means: told by a record with a lower offset.

What is known of one message is one integer: for each ladder status 117 bits, its time, how much later it was received,
and `offset + 1`, or 0 where the status was not told. (An integer per message is the smallest thing Python can hold, and
the garbage collector never looks at it.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from schemas.events import LADDER

SENT, DELIVERED, READ = range(3)
RANKS: Final = {status: rank for rank, status in enumerate(LADDER)}

OFFSET_BITS: Final = 40
LAG_BITS: Final = 33
TIME_SHIFT: Final = OFFSET_BITS + LAG_BITS
FACT_BITS: Final = TIME_SHIFT + 44
_LAG_BASE: Final = 1 << 31
_LAG_TOP: Final = (1 << LAG_BITS) - 1
_OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
_FACT_MASK: Final = (1 << FACT_BITS) - 1
_NEVER: Final = 1 << OFFSET_BITS
"""Above every `offset + 1`: stands for a status that was not told."""


class Applied(msgspec.Struct, frozen=True, gc=False):
    """The record tells its status first (or is that very record again): what its transition says."""

    implied: int
    out_of_order: bool
    contradiction: bool
    sent_to_delivered_ms: int | None
    delivered_to_read_ms: int | None
    delivered_time: int
    """When sent_to_delivered_ms is given: epoch ms of DELIVERED, whose minute it is counted in."""
    read_time: int
    """When delivered_to_read_ms is given: epoch ms of READ, whose minute it is counted in."""


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """A record with a lower offset already told this status."""


DUPLICATE: Final = Duplicate()
OFF_LADDER: Final = Applied(0, False, False, None, None, 0, 0)


def pack(time: int, offset: int, received: int) -> int:
    """Make a fact of a time and a received time (epoch ms) and the raw offset that told it.

    The received time is kept as long as it is less than 24 days before or 74 days after the time; else as that.
    """
    lag = min(max(received - time + _LAG_BASE, 0), _LAG_TOP)
    return time << TIME_SHIFT | lag << OFFSET_BITS | (offset + 1)


def time_of(fact: int) -> int:
    """Return a fact's time, epoch ms."""
    return fact >> TIME_SHIFT


def received_of(fact: int) -> int:
    """Return when the fact's record was received, epoch ms."""
    return (fact >> TIME_SHIFT) + (fact >> OFFSET_BITS & _LAG_TOP) - _LAG_BASE


def offset_of(fact: int) -> int:
    """Return the raw offset that told a fact."""
    return (fact & _OFFSET_MASK) - 1


def fact_of(known: int, rank: int) -> int:
    """Return one status's fact out of a message's integer; 0 where it was not told."""
    return known >> rank * FACT_BITS & _FACT_MASK


def with_fact(known: int, rank: int, fact: int) -> int:
    """Return the message's integer with the fact of one status set (recovery keeps the lower offset)."""
    old = fact_of(known, rank)
    if old and offset_of(old) <= offset_of(fact):
        return known
    return known & ~(_FACT_MASK << rank * FACT_BITS) | fact << rank * FACT_BITS


def without_fact(known: int, rank: int) -> int:
    """Return the message's integer with one status untold."""
    return known & ~(_FACT_MASK << rank * FACT_BITS)


def decide(known: int, rank: int, time: int, offset: int, old_status: str) -> Applied | Duplicate:
    """Decide on a ladder status told at `offset` with `time` (epoch ms) and the old status it names ('' for none)."""
    own = known >> rank * FACT_BITS & _FACT_MASK
    if own and (own & _OFFSET_MASK) != offset + 1:
        return DUPLICATE
    if known == own << rank * FACT_BITS:
        return _first(rank, old_status)
    facts = (known & _FACT_MASK, known >> FACT_BITS & _FACT_MASK, known >> 2 * FACT_BITS)
    told = tuple(((fact & _OFFSET_MASK) or _NEVER) <= offset for fact in facts)
    highest_below = max((below for below in range(rank) if told[below]), default=-1)
    old_rank = RANKS.get(old_status)
    return Applied(
        rank - sum(told[:rank]),
        any(told[rank + 1 :]),
        old_rank is not None and (old_rank >= rank or old_rank < highest_below),
        *_pairs(rank, time, facts, told),
    )


def _first(rank: int, old_status: str) -> Applied:
    """Decide on the first status known of a message."""
    old_rank = RANKS.get(old_status)
    return _FIRST[rank, old_rank is not None and old_rank >= rank]


_FIRST: Final = {
    (rank, contradiction): Applied(rank, False, contradiction, None, None, 0, 0)
    for rank in range(3)
    for contradiction in (False, True)
}


class _Pairs(NamedTuple):
    sent_to_delivered: int | None
    delivered_to_read: int | None
    delivered_time: int
    read_time: int


def _pairs(rank: int, time: int, facts: tuple[int, ...], told: tuple[bool, ...]) -> _Pairs:
    """Return the latencies of the pairs that this record completes, and the times whose minutes they are counted in."""
    sent, delivered, read = (time if each == rank else fact >> TIME_SHIFT for each, fact in enumerate(facts))
    delivery = (rank == DELIVERED and told[SENT]) or (rank == SENT and told[DELIVERED])
    reading = (rank == READ and told[DELIVERED]) or (rank == DELIVERED and told[READ])
    return _Pairs(
        delivered - sent if delivery else None,
        read - delivered if reading else None,
        delivered if delivery else 0,
        read if reading else 0,
    )


def decide_off_ladder(fact: int, offset: int) -> Applied | Duplicate:
    """Decide on a status off the ladder, given its fact (0 where it was not told)."""
    return DUPLICATE if fact and offset_of(fact) != offset else OFF_LADDER
