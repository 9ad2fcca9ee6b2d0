"""What is cut off of a long story is counted, and said."""

from __future__ import annotations

from dashboard.answers import RawEvent, State, Step
from dashboard.stories import MOST_OF_SESSION, MOST_RECORDS, Count, journey, timeline

STATE = State("1", "5", "4", "3", "SENT", "2026-01-01T00:00:00.000Z", None, None, False, "WHATSAPP", "OUT", None)


def step(offset: int) -> Step:
    time = "2026-01-01T00:00:00.000Z"
    return Step("1", "5", "4", "3", "", "SENT", time, time, time, "updated", 0, False, False, None, None, 0, 0, offset)


def record(offset: int, kind: str = "IM_Message_Status") -> RawEvent:
    return RawEvent("1", kind, "5", "3", "4", "2026-01-01T00:00:00.000Z", "webhook", 0, offset, "{}")


def test_every_duplicate_counts_and_not_only_those_that_are_listed() -> None:
    listed = [record(offset) for offset in range(MOST_RECORDS)]
    found = timeline(STATE, [step(0)], [], listed, [Count("1", 1000, 990), Count("2", 7, 7)])
    assert (len(found.raw), found.records, found.duplicates) == (MOST_RECORDS, 1000, 989)


def test_where_all_are_listed_those_are_counted() -> None:
    listed = [record(0), record(1), record(2, "IM_Message_Add")]
    found = timeline(STATE, [step(0)], [], listed, [Count("1", 3, 2)])
    assert (found.records, found.duplicates) == (3, 1)
    # ClickHouse may have dropped the records of old statuses.
    found = timeline(STATE, [step(9), step(10)], [], listed, [Count("1", 3, 2)])
    assert (found.records, found.duplicates) == (3, 2)
    assert timeline(STATE, [step(9)], [], [], []).records == 0


def test_a_long_session_says_what_is_cut_off() -> None:
    many = MOST_OF_SESSION + 1
    found = journey("3", [STATE] * many, [step(0)] * MOST_OF_SESSION, [record(0)] * many)
    assert found.truncated == ["messages", "events"]
    assert {len(found.messages), len(found.steps), len(found.events)} == {MOST_OF_SESSION}
    assert journey("3", [STATE], [], []).truncated == []
