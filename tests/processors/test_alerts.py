"""Alerts open when due, resolve by the next status, expire in a backfill, each once, whatever dies when."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.answer_key import answer, compare, describe
from sandbox.answer_key.alerts import Rule
from sandbox.answer_key.records import RawRecord
from schemas import topics
from schemas.alert_rules import MessageRule
from tests.processors.test_exactness import act
from tests.processors.world import HELD, HOUR, NOW, FakeRecord, World, raw, status_event

WATCH = (
    MessageRule(name="stuck", status="SENT", after_ms=10_000),
    MessageRule(name="unread", status="DELIVERED", after_ms=60_000, followup=True),
)
RULES = tuple(Rule(rule.name, rule.status, rule.after_ms, rule.followup) for rule in WATCH)
ADDED = b'{"eventType":"IM_Message_Add","orgId":"1","payload":{"id":"9","channelId":7,"integration":"WhatsApp"}}'


def log_of(*events: tuple[int, bytes]) -> list[FakeRecord]:
    """Return a log of (received, body), behind one that tells the channel's type."""
    return [raw(0, ADDED)] + [raw(offset, body, received=NOW + at) for offset, (at, body) in enumerate(events, 1)]


def watched(log: list[FakeRecord], watch: tuple[MessageRule, ...] = WATCH, disk: Path | None = None) -> World:
    """Return a world whose clock lies after every received time."""
    return World(log, watch=watch, disk=disk, now=NOW + 90 * 24 * HOUR)


def states(world: World) -> list[tuple[str, str]]:
    return [(row["rule"], row["state"]) for row in published(world)]


def published(world: World) -> list[dict[str, Any]]:
    return [world.decode(record) for record in world.durable[topics.ALERTS]]


def test_a_message_that_stays_is_told_once_and_resolved_by_the_next_status() -> None:
    world = watched(log_of((0, status_event("SENT", NOW)), (30_000, status_event("DELIVERED", NOW + 29_000))))
    world.process(2)
    world.checkpoint()
    assert not world.tick(NOW + 10_299)
    assert world.tick(NOW + 10_300)
    world.settle()
    assert states(world) == [("stuck", "open")]
    world.settle()
    world.finish(NOW + 40_000)
    assert states(world) == [("stuck", "open"), ("stuck", "resolved")]
    (opened, resolved) = published(world)
    assert opened["alert_id"] == resolved["alert_id"]
    assert (opened["due_time"], opened["opened_time"], opened["resolved_time"]) == (
        "2025-10-09T08:53:30.000Z",
        "2025-10-09T08:53:30.000Z",
        None,
    )
    assert resolved["resolved_time"] == "2025-10-09T08:53:49.000Z"
    assert resolved["message_id"] == "50007000000006017"
    assert (resolved["org_id"], resolved["channel_id"], resolved["session_id"]) == ("1", "7", "3")


def test_a_status_in_time_leaves_no_alert() -> None:
    events = [(0, status_event("SENT", NOW)), (9999, status_event("READ", NOW + 9000))]
    world = watched(log_of(*events))
    world.finish(NOW + HOUR)
    assert states(world) == []
    assert world.receipts.alerts.kept == 0


def test_a_status_that_was_told_after_a_higher_one_is_nobodys_business() -> None:
    events = [(0, status_event("READ", NOW)), (1, status_event("DELIVERED", NOW)), (2, status_event("SENT", NOW))]
    world = watched(log_of(*events))
    world.finish(NOW + HOUR)
    assert states(world) == []


def test_a_backfill_is_expired_and_never_opens() -> None:
    events = [(0, status_event("SENT", NOW - 2 * HOUR)), (1, status_event("DELIVERED", NOW - HOUR))]
    world = watched(log_of(*events))
    world.finish(NOW + HOUR)
    assert states(world) == [("stuck", "expired"), ("unread", "open")]
    assert world.alerts()["stuck:1:50007000000006017"]["opened_time"] is None


@pytest.mark.parametrize(("type_", "opened"), [(b"Instagram", []), (b"Telegram", []), (b"WhatsApp", ["stuck"])])
def test_a_rule_applies_where_the_channel_can_report_the_next_status(type_: bytes, opened: list[str]) -> None:
    log = [raw(0, ADDED.replace(b"WhatsApp", type_)), raw(1, status_event("SENT", NOW))]
    world = watched(log)
    world.finish(NOW + HOUR)
    assert [rule for rule, _ in states(world)] == opened


def test_an_unknown_type_can_report_what_its_channel_had_told_by_then() -> None:
    told = status_event("DELIVERED", NOW, message=2)
    log = [raw(0, status_event("SENT", NOW)), raw(1, told), raw(2, status_event("SENT", NOW, message=3))]
    world = watched(log)
    world.process(3)
    world.checkpoint()
    world.restart()
    world.finish(NOW + 20_000)
    assert [row["message_id"] for row in published(world)] == ["3"]


def test_orgs_and_channels_narrow_a_rule() -> None:
    narrow = (
        MessageRule(name="org", status="SENT", after_ms=1, orgs=frozenset({"2"})),
        MessageRule(name="channel", status="SENT", after_ms=1, channels=frozenset({"7"})),
        MessageRule(name="type", status="SENT", after_ms=1, channels=frozenset({"WHATSAPP"})),
        MessageRule(name="other", status="SENT", after_ms=1, channels=frozenset({"8"})),
    )
    world = watched(log_of((0, status_event("SENT", NOW))), narrow)
    world.finish(NOW + 20_000)
    assert sorted(states(world)) == [("channel", "open"), ("type", "open")]


def test_what_the_disk_of_a_dead_process_never_told_is_told_by_the_next(tmp_path: Path) -> None:
    for disk in (None, tmp_path / "db"):
        world = watched(log_of((0, status_event("SENT", NOW))), disk=disk)
        world.process(2)
        world.checkpoint()
        world.tick(NOW + HOUR)
        world.checkpoint()  # the changelog has it, readers have not
        assert states(world) == []
        world.restart()
        world.settle()
        assert states(world) == [("stuck", "open")]
        world.restart()
        world.finish(NOW + HOUR)
        assert states(world) == [("stuck", "open")]
        world.state.close()


def test_a_replay_tells_nothing_again() -> None:
    body, later = status_event("SENT", NOW), status_event("READ", NOW + HOUR)
    log = [
        *log_of((0, body), (HOUR, later)),
        raw(3, body, received=NOW, origin="0:1"),
        raw(4, later, received=NOW + HOUR, origin="0:2"),
    ]
    world = watched(log)
    world.process(3)
    world.settle(NOW + 2 * HOUR)
    before = states(world)
    world.finish(NOW + 3 * HOUR)
    assert states(world) == before == [("stuck", "open"), ("stuck", "resolved")]


def test_a_new_rule_raises_no_storm_of_old_alerts() -> None:
    old, young = status_event("SENT", NOW, message=1), status_event("SENT", NOW + 5 * HOUR, message=2)
    world = watched(log_of((0, old), (5 * HOUR, young)), ())
    world.finish(NOW + 5 * HOUR)
    world.watch = WATCH
    world.restart()
    world.finish(NOW + 6 * HOUR)
    assert [row["message_id"] for row in published(world)] == ["2"]


def test_a_message_that_is_forgotten_takes_its_alert_along() -> None:
    month = 30 * 24 * HOUR
    world = watched(log_of((0, status_event("SENT", NOW)), (month, status_event("SENT", NOW, message=2))))
    world.process(2)
    world.settle(NOW + HOUR)
    assert world.receipts.alerts.kept == 1
    world.finish(NOW + month)
    assert world.receipts.alerts.kept == 0
    world.restart()
    assert world.receipts.alerts.kept == 0


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
@pytest.mark.parametrize("written", [0.0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("meanwhile", ["it is noted as told", "it is resolved", "both"])
def test_an_opening_still_on_its_way_at_a_kill_is_told_after_it(
    tmp_path: Path, store: str, written: float, meanwhile: str
) -> None:
    events = [(0, status_event("SENT", NOW)), (30_000, status_event("DELIVERED", NOW + 29_000))]
    world = watched(log_of(*events), disk=tmp_path / "db" if store == "rocksdb" else None)
    world.process(2)
    world.tick(NOW + 10_300)
    world.checkpoint()
    world.checkpoint(share=HELD)  # publishes the opening, and nothing acknowledges it
    if meanwhile != "it is resolved":
        world.checkpoint(share=HELD)
    if meanwhile != "it is noted as told":
        world.process(1, share=HELD)
    world.checkpoint(share=written)
    world.restart()
    world.settle(NOW + 10_300)
    assert ("stuck", "open") in states(world)
    world.finish(NOW + 40_000)
    assert ("stuck", "resolved") in states(world)
    assert untold(world) == []


def untold(world: World) -> list[str]:
    """Return the alerts whose resolution readers saw before any opening."""
    opened, found = set(), []
    for row in published(world):
        if row["state"] == "open":
            opened.add(row["alert_id"])
        elif row["state"] == "resolved" and row["alert_id"] not in opened:
            found.append(row["alert_id"])
    return found


drawn_records = st.lists(
    st.tuples(
        st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED"]),
        st.integers(1, 4),  # message
        st.integers(-4_000_000, 60_000),  # its time, ms from its receipt
        st.integers(0, 40_000),  # ms since the record before
    ),
    max_size=25,
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("process"), st.integers(1, 8), st.just(1.0)),
        st.tuples(st.just("checkpoint"), st.just(0), st.just(1.0)),
        st.tuples(st.sampled_from(["process", "checkpoint"]), st.integers(1, 8), st.just(HELD)),
        st.tuples(st.sampled_from(["process", "checkpoint"]), st.integers(1, 8), st.floats(0, 1)),
    ),
    max_size=25,
)


def drawn_log(drawn: list[tuple[str, int, int, int]]) -> tuple[list[FakeRecord], int]:
    at, events = 0, []
    for status, message, shift, wait in drawn:
        at += wait
        events.append((at, status_event(status, NOW + at + shift, message=message)))
    return log_of(*events), NOW + at + HOUR


@settings(max_examples=200, deadline=None)
@given(drawn_records, actions, st.sampled_from(["memory", "rocksdb"]))
def test_any_batching_and_any_crash_give_the_alerts_of_the_answer_key(
    drawn: list[tuple[str, int, int, int]], steps: list[tuple[str, int, float]], store: str
) -> None:
    log, end = drawn_log(drawn)
    key = answer([RawRecord(0, record.offset, record.value or b"", received(record)) for record in log])
    expected = {"alerts": key.alerts(end, RULES)}
    with TemporaryDirectory() as folder:
        world = watched(log, disk=Path(folder) / "db" if store == "rocksdb" else None)
        for name, count, share in steps:
            world.tick()
            act(world, name, count, share)
        world.finish(end)
        differences = compare(expected, {"alerts": list(world.alerts().values())})
        assert not differences, describe(differences)
        assert untold(world) == []
        world.state.close()


def received(record: FakeRecord) -> int:
    return int(dict(record.headers)["received"] or b"")
