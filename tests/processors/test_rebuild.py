"""The fast path of a recovery and the general one leave the same state."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.codec import encode_fact, fact_key
from processors.written import WrittenFact
from schemas import topics
from schemas.alert_rules import DEFAULT
from tests.processors.test_usual import logs
from tests.processors.world import HOUR, NOW, FakeRecord, World, raw, status_event


def after_restart(log: list[FakeRecord], split: int, *, fast: bool) -> tuple[object, ...]:
    """Return what a process that recovers in the middle of a log publishes, and what it knows."""
    world = World(log, watch=DEFAULT.message_rules)
    world.process(split)
    world.checkpoint()
    world.fast = fast
    world.restart()
    known = (dict(world.state._ladder), dict(world.state._off_ladder), len(world.state))  # type: ignore[attr-defined]
    world.finish(NOW + 200 * 24 * HOUR)
    return known, {topic: [(r.key, r.value) for r in records] for topic, records in world.durable.items()}


@settings(max_examples=300)
@given(logs(), st.integers(0, 25))
def test_both_paths_restore_the_same(log: list[FakeRecord], split: int) -> None:
    assert after_restart(log, split, fast=True) == after_restart(log, split, fast=False)


def test_a_usual_fact_takes_the_fast_path() -> None:
    world = World([raw(0, status_event("SENT", NOW))], watch=DEFAULT.message_rules)
    world.process(1)
    world.checkpoint()
    (fact,) = world.durable[topics.changelog(topics.MESSAGES_TABLE)]
    begun = World([], watch=DEFAULT.message_rules)
    assert begun.receipts._rebuild.take(fact.key or b"", fact.value)
    assert len(begun.state) == 1


IDS = st.one_of(
    st.integers(0, 10**22).map(str),
    st.sampled_from(
        ["", "0", "007", "9" * 18, "9" * 19, "9" * 20, "1" + "0" * 19, "10" * 9 + "x", "a:b", "50%", "é", "٣"]
    ),
    st.text(max_size=3),
)
NUMBERS = st.one_of(st.integers(-5, 10**13), st.integers(10**17, 10**20))


@settings(max_examples=500)
@given(IDS, IDS, st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED"]), NUMBERS, NUMBERS, NUMBERS, IDS, IDS)
def test_a_fact_read_byte_by_byte_is_what_its_parts_say(  # noqa: PLR0917 -- a record's fields
    org: str, message: str, status: str, time: int, offset: int, received: int, channel: str, session: str
) -> None:
    key, value = fact_key(org, message, status), encode_fact(time, offset, received, channel, session)
    by_bytes, by_parts = WrittenFact(), WrittenFact()
    is_usual = by_bytes.read_bytes(key, value)
    if is_usual:
        assert by_parts.read_parts(key, value)
        assert said(by_bytes) == said(by_parts)
        assert (str(by_bytes.message), str(by_bytes.session)) == (message, session)
    else:
        # The general path reads these: ids that are quoted, and numbers that no record has.
        has_odd_number = any(not 0 <= number < 10**18 for number in (time, offset, received))
        assert has_odd_number or not by_parts.read_parts(key, value)


def said(fact: WrittenFact) -> tuple[object, ...]:
    times = (fact.time, fact.offset, fact.received)
    return fact.org, fact.channel, fact.message, fact.session, fact.rank, *times


def test_what_is_no_fact_is_left_alone() -> None:
    for key, value in [
        (b"9:1:SENT", b"2,1,2,3,7"),
        (b"9:1:SENT", b"2,1,2,3,7:8:9"),
        (b"9:1:SENT", b"2,1,2,,7:8"),
        (b"9:1:SENT", b"2,1,2"),
        (b"9:1:SENT", b"2"),
        (b"9:1:SENT", b""),
        (b"9:1:SENT", b"1,1,2,3,7:8"),
        (b"9:1:SENT", b"02,1,2,3,7:8"),
        (b"9:1:SENT:", b"2,1,2,3,7:8"),
        (b"9:1", b"2,1,2,3,7:8"),
        (b"", b"2,1,2,3,7:8"),
        (b"alert:9:1:SENT", b"2,1,2,3,7:8"),
        (b"9:1:SENT", b"2,1,2,3,7%3A:8"),
    ]:
        assert not WrittenFact().read_bytes(key, value)
        assert not WrittenFact().read_parts(key, value)
