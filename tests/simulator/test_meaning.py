"""The answer key against the contract's sentences, one after another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.clock import iso
from sandbox.answer_key import answer, answer_of_bodies
from sandbox.answer_key.alerts import Rule
from sandbox.answer_key.rows import Row
from tests.simulator.elements import T0, added, log, told

HOUR = 3_600_000
DAY = 24 * HOUR


def transitions(*values: bytes, received: int = T0 + 5000) -> dict[str, Row]:
    rows = answer(log(*values, received=received)).tables["transitions"]
    return {str(row["new_status"]): row for row in rows}


def windows(*values: bytes, received: int = T0 + 5000) -> list[Row]:
    return answer(log(*values, received=received)).tables["channel_windows"]


def test_the_record_with_the_lowest_offset_sets_a_status() -> None:
    rows = transitions(told("READ", T0 + 9), told("READ", T0 + 1), told("READ", T0 + 9))
    assert rows["READ"]["updated_time"] == iso(T0 + 9)
    assert answer(log(told("READ"), told("READ", T0 + 1))).ledger == {
        "raw": 2,
        "applied": 1,
        "duplicate": 1,
        "parked": 0,
        "other": 0,
    }


def test_off_ladder_statuses_are_kept_and_change_nothing_on_the_ladder() -> None:
    rows = transitions(told("FAILED", old="READ"), told("READ"), told("FAILED"))
    assert (rows["FAILED"]["implied"], rows["FAILED"]["contradiction"]) == (0, False)
    assert rows["READ"]["implied"] == 2


def test_implied_counts_lower_statuses_not_yet_known() -> None:
    assert transitions(told("READ"))["READ"]["implied"] == 2
    rows = transitions(told("SENT"), told("READ"), told("DELIVERED"))
    assert [rows[status]["implied"] for status in ("SENT", "READ", "DELIVERED")] == [0, 1, 0]


def test_out_of_order_means_a_higher_status_was_known() -> None:
    rows = transitions(told("READ"), told("DELIVERED"), told("SENT"))
    assert [rows[status]["out_of_order"] for status in ("READ", "DELIVERED", "SENT")] == [False, True, True]


@pytest.mark.parametrize(
    ("known", "new", "old", "contradicts"),
    [
        ([], "SENT", None, False),
        ([], "SENT", "QUEUED", False),
        ([], "SENT", "SENT", True),
        ([], "DELIVERED", "SENT", False),
        ([], "DELIVERED", "READ", True),
        (["SENT"], "READ", "DELIVERED", False),
        (["SENT", "DELIVERED"], "READ", "SENT", True),
        (["DELIVERED"], "READ", "DELIVERED", False),
        (["READ"], "DELIVERED", "SENT", False),
        (["READ"], "DELIVERED", "READ", True),
        (["READ", "SENT"], "DELIVERED", "SENT", False),
    ],
)
def test_contradiction(known: list[str], new: str, old: str | None, contradicts: bool) -> None:  # noqa: FBT001
    rows = transitions(*(told(status) for status in known), told(new, old=old))
    assert rows[new]["contradiction"] is contradicts


def test_the_record_that_completes_a_pair_carries_the_latency() -> None:
    rows = transitions(told("READ", T0 + 900), told("SENT", T0), told("DELIVERED", T0 + 300))
    assert rows["SENT"]["sent_to_delivered_ms"] is None
    assert (rows["DELIVERED"]["sent_to_delivered_ms"], rows["DELIVERED"]["delivered_to_read_ms"]) == (300, 600)
    late = transitions(told("DELIVERED", T0), told("SENT", T0 + 40))
    assert late["SENT"]["sent_to_delivered_ms"] == -40


def test_another_clock_stands_in_and_the_row_says_so() -> None:
    rows = transitions(
        told("SENT", "yesterday", event_time=str(T0)), told("DELIVERED", None, event_time="no"), received=T0 + 77
    )
    assert (rows["SENT"]["updated_time"], rows["SENT"]["time_source"]) == (iso(T0), "event")
    assert (rows["DELIVERED"]["updated_time"], rows["DELIVERED"]["time_source"]) == (iso(T0 + 77), "received")
    assert (rows["SENT"]["event_time"], rows["DELIVERED"]["event_time"]) == (iso(T0), None)


def test_the_state_is_the_highest_status_and_the_first_channel() -> None:
    key = answer(log(told("READ", T0 + 5, channel=8), told("SENT", T0, channel=7), told("FAILED")))
    (row,) = key.tables["message_state"]
    assert (row["status"], row["channel_id"], row["delivered_implied"]) == ("READ", "8", True)
    assert (row["sent_time"], row["delivered_time"], row["read_time"]) == (iso(T0), None, iso(T0 + 5))


def test_a_message_off_the_ladder_has_its_first_status_and_one_only_added_no_row() -> None:
    key = answer(log(added("1"), told("QUEUED", message=2), told("FAILED", message=2)))
    (row,) = key.tables["message_state"]
    assert (row["message_id"], row["status"]) == ("2", "QUEUED")
    assert key.tables["channel_rates"] == []


def test_direction_joins_in_either_order() -> None:
    for values in ((added("1"), told("SENT", message="1")), (told("SENT", message=1), added("1"))):
        (row,) = answer(log(*values)).tables["message_state"]
        assert row["direction"] == "OUT"


def test_windows_count_by_the_minute_of_the_record_itself() -> None:
    first, second = windows(told("SENT"), told("DELIVERED", T0 + 60_000), told("SENT", T0 + 60_001), told("QUEUED"))
    assert (first["sent"], first["other"], first["duplicates"]) == (1, 1, 0)
    assert (second["delivered"], second["duplicates"], second["sent_to_delivered_p50_ms"]) == (1, 1, 60_000)


@pytest.mark.parametrize(
    ("shift", "late"), [(-48 * HOUR, 0), (-48 * HOUR - 1, 1), (HOUR, 0), (HOUR + 1, 1), (-30 * DAY, 1)]
)
def test_a_record_far_from_its_arrival_is_late_and_nothing_else_in_the_windows(shift: int, late: int) -> None:
    (row,) = windows(told("SENT", T0 + shift), received=T0)
    assert (row["late"], row["sent"]) == (late, 1 - late)
    assert row["window_start"] == iso((T0 if late else T0 + shift) // 60_000 * 60_000)


def test_a_latency_stands_in_the_minute_of_the_second_status_even_when_a_late_record_completes_it() -> None:
    first, second = windows(told("DELIVERED", T0), told("SENT", T0 - 3 * DAY), received=T0 + 60_000)
    assert (first["delivered"], first["sent_to_delivered_p50_ms"]) == (1, 3 * DAY)
    assert (second["late"], second["sent"], second["sent_to_delivered_p50_ms"]) == (1, 0, None)


def test_negative_latencies_stay_out_of_the_quantiles() -> None:
    (row,) = windows(told("SENT", T0 + 5), told("DELIVERED", T0))
    assert (row["negative_latencies"], row["sent_to_delivered_p50_ms"]) == (1, None)


def rates(*values: bytes) -> list[Row]:
    return answer(log(*values)).tables["channel_rates"]


def test_a_cohort_counts_each_message_once_in_the_hour_of_its_sent() -> None:
    (row,) = rates(told("READ", T0 + HOUR), told("SENT", T0), told("SENT", T0, message=2), told("FAILED", message=3))
    assert (row["sent"], row["delivered"], row["read"]) == (2, 1, 1)
    assert row["hour"] == iso(T0 // HOUR * HOUR)
    (row,) = rates(told("READ", T0 + HOUR), told("DELIVERED", T0))
    assert row["hour"] == iso(T0 // HOUR * HOUR)


@pytest.mark.parametrize(
    ("kind", "ratios"),
    [("WHATSAPP", (1.0, 0.0, 0.0)), ("INSTAGRAM", (None, 0.0, None)), ("IM_TALK", (1.0, None, None))],
)
def test_a_ratio_that_a_channel_cannot_report_is_null(kind: str, ratios: tuple[float | None, ...]) -> None:
    (row,) = rates(added("1", kind=kind), told("DELIVERED", message="1"))
    assert (row["delivery_ratio"], row["read_ratio"], row["read_of_delivered"]) == ratios


def test_a_cohort_is_mature_once_it_has_had_time_to_be_read() -> None:
    end = T0 // HOUR * HOUR + HOUR
    few = log(told("SENT", T0))
    many = log(*(told(status, T0 + n, message=n) for n in range(100) for status in ("SENT", "READ")))
    for records, patience in ((few, 24 * HOUR), (many, 0)):
        before, after = (answer(records, now_ms=end + patience + wait) for wait in (0, 1))
        assert [before.tables["channel_rates"][0]["mature"], after.tables["channel_rates"][0]["mature"]] == [
            False,
            True,
        ]


def test_negative_times_to_read_make_no_cohort_mature() -> None:
    end = T0 // HOUR * HOUR + HOUR

    def mature(*later: int) -> bool:
        """Tell whether the hour is mature at its end, of messages read so many ms after they were sent."""
        values = [
            told(status, T0 + n + (wait if status == "READ" else 0), message=n)
            for n, wait in enumerate(later)
            for status in ("SENT", "READ")
        ]
        return bool(answer(log(*values), now_ms=end + 1).tables["channel_rates"][0]["mature"])

    assert mature(*[0] * 100)
    assert not mature(*[-1] * 100), "they are no reads of a known time"
    assert not mature(*[-1] * 1900, *[60_000] * 100), "nor do they shorten the quantile"


def test_a_replayed_record_is_the_record_it_was_made_from() -> None:
    records = log(told("SENT"), told("READ"), told("SENT"))
    replayed = [replace(record, offset=record.offset + 3, origin=(0, record.offset)) for record in records]
    assert answer([*records, *replayed]) == answer(records)
    # The first copies are gone from the topic: the replayed ones stand for them, at their places.
    assert answer(replayed) == answer(records)
    # One that names no earlier record is a letter, and no event.
    assert answer([*records, replace(records[0], offset=5, origin=(0, 7))]) == answer(records)


def test_an_alert_that_is_found_expired_is_so_at_once() -> None:
    key = answer(log(told("DELIVERED", T0), told("READ", T0, message=2), received=T0 + 3 * HOUR))
    rule = Rule("unread", "DELIVERED", HOUR)
    # The ingress's clock was ahead: to everybody else the receipt comes from the future.
    assert [row["state"] for row in key.alerts(T0 + HOUR, (rule,))] == []
    key = answer(log(told("READ", T0, message=2), told("DELIVERED", T0), received=T0 + 3 * HOUR))
    assert [row["state"] for row in key.alerts(T0 + HOUR, (rule,))] == ["expired"]


def test_messages_of_two_orgs_with_one_id_are_two_messages() -> None:
    key = answer(log(told("SENT", org="1"), told("READ", org="2")))
    assert [row["status"] for row in key.tables["message_state"]] == ["SENT", "READ"]


def test_from_bodies_alone_what_needs_the_arrival_is_left_out() -> None:
    bodies = [told("SENT"), told("READ", T0 - 9 * DAY), told("DELIVERED", None)]
    key = answer_of_bodies(bodies, T0)
    assert [row["new_status"] for row in key.tables["transitions"]] == ["SENT", "READ"]
    assert "received_time" not in key.tables["transitions"][0]
    assert key.tables["late"] == [{"org_id": "1", "channel_id": "7", "late": 1}]
