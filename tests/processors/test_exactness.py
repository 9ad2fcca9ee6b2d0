"""Whatever the batching and wherever the process dies, one log gives one result."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.receipts import Retention
from processors.windows import MINUTE_MS
from schemas import topics
from tests.processors.world import HELD, HOUR, NOW, FakeRecord, World, raw, status_event

STATUSES = ["SENT", "DELIVERED", "READ", "FAILED"]

records = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        st.integers(1, 4),  # message
        st.integers(-200_000, 60_000),  # ms from NOW
        st.sampled_from([None, "SENT", "DELIVERED", "READ"]),
        st.sampled_from([7, 8]),  # channel
    ),
    max_size=25,
)

HOURS = Retention(window=2 * HOUR, spool=HOUR, state=10_000 * HOUR)
"""Windows close after three hours."""
backlogs = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        st.integers(1, 4),  # message
        st.integers(0, 200),  # minutes since the record before
        st.integers(0, 80),  # minutes in the spool: more than an hour is too many
        st.integers(0, 200),  # minutes that the status is old: more than two hours are late
        st.sampled_from([7, 8]),  # channel
    ),
    max_size=25,
)

shares = st.floats(0, 1)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("process"), st.integers(1, 8), st.just(1.0)),
        st.tuples(st.sampled_from(["checkpoint", "sum_up"]), st.just(0), st.just(1.0)),
        st.tuples(st.sampled_from(["process", "checkpoint"]), st.integers(1, 8), st.just(HELD)),
        st.tuples(st.sampled_from(["process", "checkpoint", "sum_up"]), st.integers(1, 8), shares),
    ),
    max_size=15,
)


def log_of(drawn: list[tuple[str, int, int, str | None, int]]) -> list[FakeRecord]:
    return [
        raw(offset, status_event(status, NOW + shift, message=message, old=old, channel=channel))
        for offset, (status, message, shift, old, channel) in enumerate(drawn)
    ]


def backlog_of(drawn: list[tuple[str, int, int, int, int, int]]) -> list[FakeRecord]:
    log, moment = [], NOW
    for offset, (status, message, passed, spooled, old, channel) in enumerate(drawn):
        moment += passed * MINUTE_MS
        received = moment - spooled * MINUTE_MS
        event = status_event(status, received - old * MINUTE_MS, message=message, channel=channel)
        log.append(raw(offset, event, received=received))
    return log


def act(world: World, name: str, count: int, share: float) -> None:
    """Do one thing; a share below one is a crash after that part of what is being written."""
    if name == "process":
        world.process(count, share=share)
    elif name == "checkpoint":
        world.checkpoint(share=share)
    else:
        world.sum_up(share=share)
    if 0 <= share < 1:
        world.restart()


def assert_same(undisturbed: World, disturbed: World, steps: list[tuple[str, int, float]]) -> None:
    """Run one world to its end and disturb the other on its way: both must tell the same."""
    undisturbed.finish()
    for name, count, share in steps:
        act(disturbed, name, count, share)
    disturbed.finish()
    assert disturbed.transitions() == undisturbed.transitions()
    assert disturbed.windows() == undisturbed.windows()


@settings(max_examples=300, deadline=None)
@given(records, actions)
def test_any_batching_and_any_crash_give_the_result_of_an_undisturbed_run(
    drawn: list[tuple[str, int, int, str | None, int]], steps: list[tuple[str, int, float]]
) -> None:
    undisturbed, disturbed = World(log_of(drawn)), World(log_of(drawn))
    assert_same(undisturbed, disturbed, steps)


@settings(max_examples=1000, deadline=None)
@given(backlogs, actions)
def test_a_backlog_of_days_is_counted_the_same_though_windows_close_meanwhile(
    drawn: list[tuple[str, int, int, int, int, int]], steps: list[tuple[str, int, float]]
) -> None:
    undisturbed, disturbed = (World(backlog_of(drawn), retention=HOURS, now=NOW + 200 * HOUR) for _ in "12")
    assert_same(undisturbed, disturbed, steps)


@settings(max_examples=40, deadline=None)
@given(records, actions)
def test_the_same_holds_for_a_state_on_disk(
    drawn: list[tuple[str, int, int, str | None, int]], steps: list[tuple[str, int, float]]
) -> None:
    with TemporaryDirectory() as folder:
        disturbed = World(log_of(drawn), disk=Path(folder) / "db")
        assert_same(World(log_of(drawn)), disturbed, steps)
        disturbed.state.close()


@settings(max_examples=100, deadline=None)
@given(records)
def test_every_status_record_is_counted_exactly_once(drawn: list[tuple[str, int, int, str | None, int]]) -> None:
    world = World(log_of(drawn))
    world.finish()
    counted = sum(
        int(str(window[name]))
        for window in world.windows().values()
        for name in ("sent", "delivered", "read", "other", "duplicates", "late")
    )
    assert counted == len(drawn)


@settings(max_examples=100, deadline=None)
@given(st.permutations([(status, shift) for status, shift in zip(STATUSES, (0, 10, 20, 30), strict=True)]))
def test_any_order_of_statuses_that_come_once_gives_the_same_times(order: list[tuple[str, int]]) -> None:
    world = World([raw(offset, status_event(status, NOW + shift)) for offset, (status, shift) in enumerate(order)])
    world.finish()
    times = {key[2]: row["updated_time"] for key, row in world.transitions().items()}
    base = World([raw(i, status_event(status, NOW + shift)) for i, (status, shift) in enumerate(sorted(order))])
    base.finish()
    assert times == {key[2]: row["updated_time"] for key, row in base.transitions().items()}


def test_a_zombies_older_partial_neither_wins_at_recovery_nor_stays_the_newest_of_its_key() -> None:
    world = World([raw(0, status_event("SENT", NOW)), raw(1, status_event("SENT", NOW, message=2))])
    world.process(1)
    world.checkpoint()
    changelog = world.durable[topics.changelog(topics.PARTIALS_TABLE)]
    older = [record for record in changelog if record.key != b"watermark"]
    world.finish()
    changelog.extend(older)
    world.restart()
    assert [partial.last for partial in world.receipts.partials] == [1]
    world.receipts.mark_all()
    world.checkpoint()
    newest = {record.key: record.value for record in changelog}
    assert newest[older[0].key] != older[0].value
