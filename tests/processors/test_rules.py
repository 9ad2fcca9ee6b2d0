"""The receipt rules, sentence by sentence, and against a plain second implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import rules
from processors.rules import DELIVERED, DUPLICATE, READ, SENT, Applied, Duplicate

NAMES = ("SENT", "DELIVERED", "READ")


def known_of(*facts: tuple[int, int, int]) -> int:
    known = 0
    for rank, time, offset in facts:
        known = rules.with_fact(known, rank, rules.pack(time, offset, time))
    return known


def decided(known: int, rank: int, time: int, offset: int, old: str = "") -> Applied:
    outcome = rules.decide(known, rank, time, offset, old)
    assert isinstance(outcome, Applied)
    return outcome


def test_a_fact_gives_back_its_time_and_offset() -> None:
    fact = rules.pack(9_000_000_000_000, (1 << 40) - 3, 9_000_000_001_000)
    assert (rules.time_of(fact), rules.offset_of(fact)) == (9_000_000_000_000, (1 << 40) - 3)


def test_the_first_offset_sets_a_status_whatever_its_time() -> None:
    known = known_of((SENT, 100, 5))
    assert rules.decide(known, SENT, 50, 6, "") is DUPLICATE
    assert said(rules.decide(known, SENT, 100, 5, "")) == (0, False, False, None, None, 0, 0)


@pytest.mark.parametrize(("rank", "implied"), [(SENT, 0), (DELIVERED, 1), (READ, 2)])
def test_implied_counts_the_lower_statuses_that_were_not_known(rank: int, implied: int) -> None:
    assert decided(0, rank, 100, 0).implied == implied


def test_a_status_below_one_that_is_known_is_out_of_order() -> None:
    known = known_of((READ, 100, 1))
    assert decided(known, DELIVERED, 90, 2).out_of_order
    assert decided(known, SENT, 80, 2).out_of_order
    assert not decided(known_of((SENT, 80, 1)), READ, 100, 2).out_of_order


@pytest.mark.parametrize(
    ("known", "rank", "old", "contradiction"),
    [
        ((), DELIVERED, "SENT", False),
        ((), DELIVERED, "DELIVERED", True),
        ((), DELIVERED, "READ", True),
        ((), DELIVERED, "QUEUED", False),
        ((), DELIVERED, "", False),
        (((DELIVERED, 1, 1),), READ, "SENT", True),
        (((DELIVERED, 1, 1),), READ, "DELIVERED", False),
        (((SENT, 1, 1),), READ, "DELIVERED", False),
        (((READ, 1, 1),), DELIVERED, "SENT", False),
    ],
)
def test_a_contradiction_is_an_old_status_that_cannot_be(
    known: tuple[tuple[int, int, int], ...],
    rank: int,
    old: str,
    contradiction: bool,  # noqa: FBT001 -- a table's column
) -> None:
    assert decided(known_of(*known), rank, 100, 9, old).contradiction is contradiction


def test_the_record_that_completes_a_pair_carries_its_latency() -> None:
    assert decided(known_of((SENT, 100, 1)), DELIVERED, 130, 2).sent_to_delivered_ms == 30
    assert decided(known_of((DELIVERED, 130, 1)), SENT, 100, 2).sent_to_delivered_ms == 30
    late = decided(known_of((SENT, 100, 1), (READ, 190, 2)), DELIVERED, 130, 3)
    assert (late.sent_to_delivered_ms, late.delivered_to_read_ms) == (30, 60)
    assert (late.delivered_time, late.read_time) == (130, 190)


def test_a_negative_latency_is_kept_as_it_is() -> None:
    assert decided(known_of((SENT, 100, 1)), DELIVERED, 70, 2).sent_to_delivered_ms == -30


def test_a_replay_sees_only_what_was_known_then() -> None:
    """Facts recovered from a changelog may be newer than the record that is processed again."""
    known = known_of((SENT, 100, 1), (DELIVERED, 130, 5), (READ, 190, 9))
    assert said(decided(known, DELIVERED, 130, 5)) == said(decided(known_of((SENT, 100, 1)), DELIVERED, 130, 5))
    assert said(decided(known, SENT, 100, 1)) == said(decided(0, SENT, 100, 1))


def test_a_status_off_the_ladder_is_kept_once() -> None:
    assert said(rules.decide_off_ladder(0, 3)) == (0, False, False, None, None, 0, 0)
    assert rules.decide_off_ladder(rules.pack(1, 3, 1), 3) is not DUPLICATE
    assert rules.decide_off_ladder(rules.pack(1, 3, 1), 4) is DUPLICATE


events = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 10_000), st.sampled_from(["", "SENT", "DELIVERED", "READ", "FAILED"])),
    max_size=12,
)


def plainly(log: list[tuple[int, int, str]]) -> list[Applied | None]:
    """Decide a message's log the slow way; None for a duplicate."""
    first: dict[int, int] = {}
    outcomes: list[Applied | None] = []
    for rank, time, old in log:
        if rank in first:
            outcomes.append(None)
            continue
        below = [r for r in first if r < rank]
        old_rank = NAMES.index(old) if old in NAMES else None
        contradiction = old_rank is not None and (old_rank >= rank or (bool(below) and old_rank < max(below)))
        times = {**first, rank: time}
        sent_delivered = times[1] - times[0] if rank in (0, 1) and {0, 1} <= times.keys() else None
        delivered_read = times[2] - times[1] if rank in (1, 2) and {1, 2} <= times.keys() else None
        outcomes.append(
            Applied(
                rank - len(below), max(first, default=-1) > rank, contradiction, sent_delivered, delivered_read, 0, 0
            )
        )
        first[rank] = time
    return outcomes


def said(outcome: Applied | Duplicate) -> tuple[object, ...]:
    """Return all that an outcome says; nothing for a duplicate."""
    if not isinstance(outcome, Applied):
        return ()
    return (*without_times(outcome), outcome.delivered_time, outcome.read_time)


def without_times(outcome: Applied) -> tuple[object, ...]:
    return (
        outcome.implied,
        outcome.out_of_order,
        outcome.contradiction,
        outcome.sent_to_delivered_ms,
        outcome.delivered_to_read_ms,
    )


@given(events)
def test_any_log_of_a_message_is_decided_as_the_plain_implementation_does(log: list[tuple[int, int, str]]) -> None:
    known = 0
    for offset, ((rank, time, old), expected) in enumerate(zip(log, plainly(log), strict=True)):
        outcome = rules.decide(known, rank, time, offset, old)
        if expected is None:
            assert outcome is DUPLICATE
            continue
        assert isinstance(outcome, Applied)
        assert without_times(outcome) == without_times(expected)
        known = rules.with_fact(known, rank, rules.pack(time, offset, time))


@given(events)
def test_replaying_a_whole_log_on_its_final_state_decides_the_same(log: list[tuple[int, int, str]]) -> None:
    known, first = 0, []
    for offset, (rank, time, old) in enumerate(log):
        first.append(said(rules.decide(known, rank, time, offset, old)))
        known = rules.with_fact(known, rank, rules.pack(time, offset, time))
    again = [said(rules.decide(known, rank, time, offset, old)) for offset, (rank, time, old) in enumerate(log)]
    assert again == first
