"""The receipt rules: what a status record means, given what is already known of its message.

Everything is decided from the record and the raw offsets of earlier records, never from the time of processing, so a
replay after a crash decides the same. "Known" means: told by a record with a lower offset.

What is known of one message is one integer: for each ladder status 128 bits, its time, when it was received, and
`offset + 1`, or 0 where the status was not told. (An integer per message is the smallest thing Python can hold, and
the garbage collector never looks at it.)
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from schemas.events import LADDER

SENT: Final = 0
DELIVERED: Final = 1
READ: Final = 2
RANKS: Final = {status: rank for rank, status in enumerate(LADDER)}

OFFSET_BITS: Final = 40
TIME_BITS: Final = 44
TIME_SHIFT: Final = OFFSET_BITS + TIME_BITS
FACT_BITS: Final = TIME_SHIFT + TIME_BITS
_TIME_MASK: Final = (1 << TIME_BITS) - 1
OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1
FACT_MASK: Final = (1 << FACT_BITS) - 1


@mypyc_attr(acyclic=True, free_list_len=1)
class Applied:
    """The record tells its status first (or is that very record again): what its transition says."""

    __slots__ = (
        "contradiction",
        "delivered_time",
        "delivered_to_read_ms",
        "implied",
        "out_of_order",
        "read_time",
        "sent_to_delivered_ms",
    )

    def __init__(  # noqa: PLR0917 -- once a record
        self,
        implied: int,
        out_of_order: bool,  # noqa: FBT001
        contradiction: bool,  # noqa: FBT001
        sent_to_delivered_ms: int | None,
        delivered_to_read_ms: int | None,
        delivered_time: int,
        read_time: int,
    ) -> None:
        self.implied = implied
        self.out_of_order = out_of_order
        self.contradiction = contradiction
        self.sent_to_delivered_ms = sent_to_delivered_ms
        self.delivered_to_read_ms = delivered_to_read_ms
        self.delivered_time = delivered_time
        """When sent_to_delivered_ms is given: epoch ms of DELIVERED, whose minute it is counted in."""
        self.read_time = read_time
        """When delivered_to_read_ms is given: epoch ms of READ, whose minute it is counted in."""

    @property
    def completes(self) -> bool:
        """Whether the record completes a pair."""
        return self.sent_to_delivered_ms is not None or self.delivered_to_read_ms is not None


class Duplicate:
    """A record with a lower offset already told this status."""


DUPLICATE: Final = Duplicate()
OFF_LADDER: Final = Applied(0, False, False, None, None, 0, 0)


def pack(time: int, offset: int, received: int) -> int:
    """Make a fact of a time and a received time (epoch ms) and the raw offset that told it."""
    return time << TIME_SHIFT | received << OFFSET_BITS | (offset + 1)


def time_of(fact: int) -> int:
    """Return a fact's time, epoch ms."""
    return fact >> TIME_SHIFT


def received_of(fact: int) -> int:
    """Return when the fact's record was received, epoch ms."""
    return fact >> OFFSET_BITS & _TIME_MASK


def offset_of(fact: int) -> int:
    """Return the raw offset that told a fact."""
    return (fact & OFFSET_MASK) - 1


def fact_of(known: int, rank: int) -> int:
    """Return one status's fact out of a message's integer; 0 where it was not told."""
    return known >> rank * FACT_BITS & FACT_MASK


def with_fact(known: int, rank: int, fact: int) -> int:
    """Return the message's integer with the fact of one status set (recovery keeps the lower offset)."""
    old = fact_of(known, rank)
    if old and offset_of(old) <= offset_of(fact):
        return known
    return known & ~(FACT_MASK << rank * FACT_BITS) | fact << rank * FACT_BITS


def without_fact(known: int, rank: int) -> int:
    """Return the message's integer with one status untold."""
    return known & ~(FACT_MASK << rank * FACT_BITS)


def decide(known: int, rank: int, time: int, offset: int, old_status: str) -> Applied | Duplicate:
    """Decide on a ladder status told at `offset` with `time` (epoch ms) and the old status it names ('' for none)."""
    if not known:
        return _first(rank, old_status)
    own = known >> rank * FACT_BITS & FACT_MASK
    if own and (own & OFFSET_MASK) != offset + 1:
        return DUPLICATE
    # A fact holds its offset plus one: what was told before this record holds at most `offset`, and above nothing.
    sent, delivered, read = known & FACT_MASK, known >> FACT_BITS & FACT_MASK, known >> 2 * FACT_BITS
    sent_before = 0 < (sent & OFFSET_MASK) <= offset
    delivered_before = 0 < (delivered & OFFSET_MASK) <= offset
    read_before = 0 < (read & OFFSET_MASK) <= offset
    old = RANKS.get(old_status, -1)
    if rank == SENT:
        there = delivered >> TIME_SHIFT if delivered_before else 0
        delivery = there - time if delivered_before else None
        return Applied(0, delivered_before or read_before, old >= SENT, delivery, None, there, 0)
    if rank == DELIVERED:
        there = read >> TIME_SHIFT if read_before else 0
        delivery = time - (sent >> TIME_SHIFT) if sent_before else None
        reading = there - time if read_before else None
        return Applied(
            1 - sent_before, read_before, old >= DELIVERED, delivery, reading, time if sent_before else 0, there
        )
    reading = time - (delivered >> TIME_SHIFT) if delivered_before else None
    contradiction = old >= READ or (old == SENT and delivered_before)
    return Applied(
        2 - sent_before - delivered_before, False, contradiction, None, reading, 0, time if delivered_before else 0
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


def decide_off_ladder(fact: int, offset: int) -> Applied | Duplicate:
    """Decide on a status off the ladder, given its fact (0 where it was not told)."""
    return DUPLICATE if fact and offset_of(fact) != offset else OFF_LADDER
