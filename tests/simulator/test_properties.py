"""What holds of the answer key whatever the traffic."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.answer_key import RawRecord, answer
from sandbox.answer_key.reading import Told, read
from sandbox.answer_key.records import of_bodies
from sandbox.answer_key.windows import COUNTS
from sandbox.simulator import Traffic, events

NOW = 1_763_900_000_000

traffics = st.builds(
    Traffic,
    now_ms=st.just(NOW),
    messages=st.integers(0, 60),
    orgs=st.integers(1, 3),
    channels=st.integers(1, 5),
    duplicates=st.floats(0, 1),
    reorder=st.floats(0, 1),
    missing=st.floats(0, 1),
    strange=st.sampled_from([0.0, 0.2]),
    broken=st.integers(0, 5),
    seed=st.integers(0, 10**6),
)


def bodies_of(traffic: Traffic) -> list[bytes]:
    return [event.body for event in events(traffic)]


@settings(max_examples=50, deadline=None)
@given(traffics)
def test_every_record_has_one_outcome_and_every_status_record_one_window(traffic: Traffic) -> None:
    bodies = bodies_of(traffic)
    key = answer(of_bodies(bodies, NOW))
    ledger = key.ledger
    assert ledger["raw"] == len(bodies)
    assert ledger["raw"] == ledger["applied"] + ledger["duplicate"] + ledger["parked"] + ledger["other"]
    assert ledger["parked"] == traffic.broken
    columns = ("sent", "delivered", "read", "other", "duplicates", "late")
    counted = sum(int(row[name] or 0) for row in key.tables["channel_windows"] for name in columns)
    assert counted == ledger["applied"] + ledger["duplicate"]


@settings(max_examples=50, deadline=None)
@given(traffics)
def test_there_is_one_transition_for_each_distinct_status(traffic: Traffic) -> None:
    bodies = bodies_of(traffic)
    told = [event for event in map(read, bodies) if isinstance(event, Told)]
    rows = answer(of_bodies(bodies, NOW)).tables["transitions"]
    assert len(rows) == len({(event.org_id, event.message_id, event.new_status) for event in told})


@settings(max_examples=30, deadline=None)
@given(traffics, st.integers(2, 5))
def test_splitting_over_partitions_changes_no_meaning(traffic: Traffic, partitions: int) -> None:
    whole = of_bodies(bodies_of(traffic), NOW)
    parts: Counter[int] = Counter()
    split = []
    for record, event in zip(whole, events(traffic), strict=True):
        place = sum(event.key.encode()) % partitions
        split.append(replace(record, partition=place, offset=parts[place]))
        parts[place] += 1
    one, many = answer(whole), answer(split)
    for table in ("message_state", "channel_windows", "channel_rates"):
        assert sorted(map(str, one.tables[table])) == sorted(map(str, many.tables[table]))
    assert one.ledger == many.ledger


@settings(max_examples=30, deadline=None)
@given(traffics)
def test_telling_everything_twice_changes_only_duplicates_and_late(traffic: Traffic) -> None:
    bodies = bodies_of(traffic)
    once, twice = answer(of_bodies(bodies, NOW)), answer(of_bodies(bodies * 2, NOW))
    assert once.tables["transitions"] == twice.tables["transitions"]
    assert once.tables["message_state"] == twice.tables["message_state"]
    assert once.tables["channel_rates"] == twice.tables["channel_rates"]
    same = set(COUNTS) - {"duplicates", "late"}
    for row, other in zip(once.tables["channel_windows"], twice.tables["channel_windows"], strict=True):
        assert {name: row[name] for name in same} == {name: other[name] for name in same}


@settings(max_examples=30, deadline=None)
@given(traffics, st.randoms(use_true_random=False))
def test_records_may_be_given_in_any_order(traffic: Traffic, random: object) -> None:
    records: list[RawRecord] = of_bodies(bodies_of(traffic), NOW)
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' Random
    assert answer(shuffled) == answer(records)
