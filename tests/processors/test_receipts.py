"""The first step: what a raw record leads to, in state, transitions, windows and dead letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from processors import codec
from processors.receipts import Retention
from schemas import topics
from schemas.times import to_iso
from tests.processors.world import HOUR, NOW, RETENTION, FakeRecord, ListOutbox, World, raw, status_event

MINUTE = 60_000


Begin = Callable[..., World]


@pytest.fixture(params=["memory", "rocksdb"])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Begin:
    """Return what makes a world whose message state is kept in either store."""

    def make(*records: FakeRecord, retention: Retention = RETENTION, now: int = NOW) -> World:
        disk = tmp_path / "db" if request.param == "rocksdb" else None
        return World(list(records), retention=retention, disk=disk, now=now)

    return make


@pytest.fixture
def run(begin: Begin) -> Begin:
    """Return what makes a world and processes all of it."""

    def make(*records: FakeRecord) -> World:
        world = begin(*records)
        world.finish()
        return world

    return make


def window_at(world: World, time: int, channel: str = "7") -> dict[str, object]:
    return world.windows()["1", channel, to_iso(time - time % MINUTE)]


def test_a_transition_has_every_field(run: Begin) -> None:
    world = run(raw(0, status_event("SENT", NOW, event_time="1751022087019"), received=NOW + 5))
    assert world.transitions() == {
        ("1", "50007000000006017", "SENT"): {
            "org_id": "1",
            "channel_id": "7",
            "session_id": "3",
            "message_id": "50007000000006017",
            "old_status": "",
            "new_status": "SENT",
            "updated_time": "2025-10-09T08:53:20.000Z",
            "event_time": "2025-06-27T11:01:27.019Z",
            "received_time": "2025-10-09T08:53:20.005Z",
            "time_source": "updated",
            "implied": 0,
            "out_of_order": False,
            "contradiction": False,
            "sent_to_delivered_ms": None,
            "delivered_to_read_ms": None,
            "raw_partition": 0,
            "raw_offset": 0,
        }
    }


@pytest.mark.parametrize(
    ("updated", "event_time", "source", "time"),
    [
        ("2025-10-09T08:53:20.000Z", "1751022087019", "updated", "2025-10-09T08:53:20.000Z"),
        ("2025-10-09T08:53:20Z", None, "updated", "2025-10-09T08:53:20.000Z"),
        ("yesterday", "1751022087019", "event", "2025-06-27T11:01:27.019Z"),
        (None, 1751022087019, "event", "2025-06-27T11:01:27.019Z"),
        ("2025-10-09T08:53:20", "soon", "received", "2025-10-09T08:53:20.000Z"),
    ],
)
def test_another_clock_stands_in_for_an_unreadable_one(
    run: Begin, updated: str | None, event_time: object, source: str, time: str
) -> None:
    world = run(raw(0, status_event("SENT", updated, event_time=event_time)))
    (row,) = world.transitions().values()
    assert (row["time_source"], row["updated_time"]) == (source, time)


def test_a_duplicate_gives_no_transition_and_counts_in_the_minute_of_its_own_time(run: Begin) -> None:
    world = run(
        raw(0, status_event("SENT", NOW - 5 * MINUTE)),
        raw(1, status_event("SENT", NOW)),
    )
    assert len(world.transitions()) == 1
    assert window_at(world, NOW - 5 * MINUTE)["sent"] == 1
    assert window_at(world, NOW)["duplicates"] == 1
    assert window_at(world, NOW)["sent"] == 0


def test_latencies_stand_in_the_minute_of_the_later_status_whichever_record_came_last(run: Begin) -> None:
    delivered, sent = NOW - 10 * MINUTE, NOW - 12 * MINUTE
    world = run(raw(0, status_event("DELIVERED", delivered)), raw(1, status_event("SENT", sent)))
    assert window_at(world, delivered)["sent_to_delivered_p50_ms"] == pytest.approx(2 * MINUTE, rel=0.01)
    assert window_at(world, sent)["sent_to_delivered_p50_ms"] is None
    assert window_at(world, sent)["out_of_order"] == 1


def test_a_negative_latency_is_counted_apart(run: Begin) -> None:
    world = run(raw(0, status_event("SENT", NOW)), raw(1, status_event("DELIVERED", NOW - 1000)))
    window = window_at(world, NOW - 1000)
    assert (window["negative_latencies"], window["sent_to_delivered_p50_ms"]) == (1, None)


@pytest.mark.parametrize(
    ("shift", "late"),
    [(-48 * HOUR, False), (-48 * HOUR - 1, True), (HOUR, False), (HOUR + 1, True)],
)
def test_lateness_depends_on_the_record_alone(run: Begin, shift: int, late: bool) -> None:  # noqa: FBT001 -- a table's column
    world = run(raw(0, status_event("SENT", NOW + shift), received=NOW))
    if late:
        assert window_at(world, NOW)["late"] == 1
        assert window_at(world, NOW)["sent"] == 0
    else:
        assert window_at(world, NOW + shift)["sent"] == 1
    assert len(world.transitions()) == 1


@pytest.mark.parametrize("message", [12345678901234567890, "12345678901234567890", "0012", "a:b%c", "9" * 20])
def test_an_id_keeps_every_digit(run: Begin, message: int | str) -> None:
    world = run(raw(0, status_event("SENT", NOW, message=message)), raw(1, status_event("SENT", NOW, message=message)))
    world.restart()
    world.log.append(raw(2, status_event("SENT", NOW, message=message)))
    world.finish()
    assert [key[1] for key in world.transitions()] == [str(message)]
    assert window_at(world, NOW)["duplicates"] == 2


def test_statuses_off_the_ladder_are_kept_and_change_nothing_on_it(run: Begin) -> None:
    world = run(
        raw(0, status_event("FAILED", NOW)),
        raw(1, status_event("FAILED", NOW)),
        raw(2, status_event("READ", NOW)),
    )
    rows = world.transitions()
    assert rows["1", "50007000000006017", "READ"]["implied"] == 2
    assert rows["1", "50007000000006017", "FAILED"]["implied"] == 0
    assert (window_at(world, NOW)["other"], window_at(world, NOW)["duplicates"]) == (1, 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"{}", "no_event_type"),
        (status_event("SENT", NOW, org=""), "bad_org_id"),
    ],
)
def test_a_bad_record_is_parked_with_its_bytes_and_the_rest_goes_on(run: Begin, value: bytes, reason: str) -> None:
    world = run(raw(0, value), raw(1, status_event("SENT", NOW)))
    (dead,) = world.durable[topics.DEAD]
    headers = dict(dead.headers)
    assert dead.value == value
    assert (headers["stage"], headers["reason"], headers["offset"]) == (b"processor", reason.encode(), b"0")
    assert len(world.transitions()) == 1


def test_other_events_change_nothing(run: Begin) -> None:
    world = run(raw(0, orjson.dumps({"eventType": "IM_Message_Add", "payload": {"id": "5"}})))
    assert not world.transitions()
    assert not world.windows()
    assert world.receipts.tally.other == 1


def test_a_replayed_record_changes_nothing(run: Begin) -> None:
    original = [raw(0, status_event("SENT", NOW)), raw(1, status_event("SENT", NOW)), raw(2, status_event("READ", NOW))]
    world = run(*original)
    before = world.transitions(), window_at(world, NOW)
    for copy, record in enumerate(original):
        world.log.append(raw(3 + copy, record.value or b"", origin=f"0:{record.offset}"))
    world.finish()
    assert (world.transitions(), window_at(world, NOW)) == before


@pytest.mark.parametrize("origin", ["1:0", "0:9", "0", "x"])
def test_an_origin_that_cannot_be_is_parked(run: Begin, origin: str) -> None:
    world = run(raw(1, status_event("SENT", NOW), origin=origin))
    assert dict(world.durable[topics.DEAD][0].headers)["reason"] == b"bad_origin"


def test_a_window_is_dropped_only_when_nothing_can_come_for_it(begin: Begin) -> None:
    keep = 72 * HOUR + MINUTE - NOW % MINUTE  # from NOW until nothing can come for NOW's minute
    world = begin(raw(0, status_event("SENT", NOW), received=NOW))
    world.finish()
    world.log.append(raw(1, status_event("SENT", NOW + keep, message=2), received=NOW + keep))
    process_at(world, NOW + keep)
    assert world.receipts.windows == 2
    later = NOW + keep + MINUTE
    world.log.append(raw(2, status_event("SENT", later, message=3), received=later))
    process_at(world, later)
    assert world.receipts.windows == 2  # the first is gone, the third has come
    tombstones = [r for r in world.durable[topics.changelog(topics.PARTIALS_TABLE)] if r.value is None]
    assert len(tombstones) == 1


def test_the_second_step_hears_of_a_time_only_when_everything_before_it_is_published(begin: Begin) -> None:
    times = [NOW, NOW + HOUR, NOW + 2 * HOUR]
    log = [raw(number, status_event("SENT", at, message=number), received=at) for number, at in enumerate(times)]
    world = begin(*log, now=times[-1])
    told: list[list[int]] = []

    def publish() -> None:
        before = len(world.durable[topics.PARTIALS])
        world.receipts.mark_all()
        world.checkpoint()
        records = world.durable[topics.PARTIALS][before:]
        told.append([codec.decode_head(record.key or b"", record.value or b"").watermark for record in records])

    world.process(2)
    publish()
    world.process(1)
    publish()
    publish()
    assert told == [[0, 0], [times[1]] * 3, [times[2]] * 3]
    # What is read again after a restart may be new to the second step: the crash may have lost its publication.
    world.restart()
    publish()
    assert told[-1] == [0, 0, 0]


def test_a_closed_window_counts_nothing_more_though_it_is_still_kept(begin: Begin) -> None:
    after = NOW + 74 * HOUR
    world = begin(
        raw(0, status_event("SENT", NOW), received=NOW),
        raw(1, status_event("SENT", after, message=2), received=after),
        raw(2, status_event("SENT", NOW, message=3), received=NOW),
        now=after,
    )
    world.finish()
    assert [row["sent"] for row in world.windows().values()] == [1, 1]
    assert world.receipts.take_tally().closed == 1


def test_a_message_is_forgotten_after_its_retention_and_not_before(begin: Begin) -> None:
    retention = Retention(window=48 * HOUR, spool=24 * HOUR, state=96 * HOUR)
    world = begin(raw(0, status_event("SENT", NOW)), raw(1, status_event("FAILED", NOW)), retention=retention)
    world.finish()
    for step, kept in ((96 * HOUR, True), (97 * HOUR + 1, False)):
        at = NOW + step
        world.log.append(raw(len(world.log), status_event("SENT", at, message=step), received=at))
        process_at(world, at)
        world.restart()
        assert bool(world.state.ladder("1", 50007000000006017)) is kept
        assert bool(world.state.off_ladder("1", 50007000000006017)) is kept


@pytest.mark.parametrize("status", ["READ", "FAILED"])
def test_a_message_is_not_forgotten_while_a_record_of_it_may_be_read_again(begin: Begin, status: str) -> None:
    retention = Retention(window=48 * HOUR, spool=24 * HOUR, state=96 * HOUR)
    at = NOW + 98 * HOUR
    world = begin(raw(0, status_event("SENT", NOW)), retention=retention, now=at)
    world.finish()
    world.log.append(raw(1, status_event(status, at), received=at))
    world.process(1)
    world.checkpoint(share=0.99)  # all of it is written, and a crash comes before the commit
    world.restart()
    assert world.position == 1
    world.process(1)
    world.checkpoint()
    first, again = [row.value for row in world.durable[topics.TRANSITIONS] if World.decode(row)["new_status"] == status]
    assert first == again
    assert world.state.ladder("1", 50007000000006017)
    later = at + 98 * HOUR
    world.log.append(raw(2, status_event("SENT", later, message=2), received=later))
    process_at(world, later)
    process_at(world, later)
    assert not world.state.ladder("1", 50007000000006017), "its newest record is old as well"


@pytest.mark.parametrize("years", [-30, 100])
def test_what_the_source_says_of_the_time_makes_no_message_forgotten(begin: Begin, years: int) -> None:
    far = NOW + years * 365 * 24 * HOUR
    world = begin(raw(0, status_event("SENT", far)), raw(1, status_event("READ", NOW, message=2)))
    world.finish()
    assert world.receipts.messages == 2


def test_a_replay_of_a_forgotten_message_leaves_its_rows_alone(begin: Begin) -> None:
    retention = Retention(window=48 * HOUR, spool=24 * HOUR, state=96 * HOUR)
    world = begin(raw(0, status_event("SENT", NOW)), raw(1, status_event("READ", NOW + 5)), retention=retention)
    world.finish()
    at = NOW + 200 * HOUR
    world.log.append(raw(2, status_event("SENT", at, message=2), received=at))
    process_at(world, at)
    before = world.transitions()
    world.log.append(raw(3, status_event("READ", NOW + 5), origin="0:1"))
    process_at(world, at)
    assert world.transitions() == before
    assert world.receipts.tally.forgotten == 1


def test_a_received_time_in_the_future_closes_no_window(begin: Begin) -> None:
    world = begin(raw(0, status_event("SENT", NOW)), raw(1, b"{}", received=NOW + 10_000 * HOUR))
    world.finish()
    assert world.receipts.windows == 1


def process_at(world: World, now: int) -> None:
    """Process what is left with the clock at `now`, and checkpoint."""
    outbox = ListOutbox()
    world.receipts.process(world.log[world.position :], outbox, now)
    world.position = len(world.log)
    world.send(outbox, -1, 1.0)
    world.checkpoint()
    world.sum_up()


def test_a_replay_of_what_is_no_event_is_not_parked_again(run: Begin) -> None:
    world = run(raw(0, b"{"), raw(1, b"{", origin="0:0"))
    assert len(world.durable[topics.DEAD]) == 1
    assert world.receipts.tally.parked == 1
