"""The fast path of a recovery and the general one leave the same state."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

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
