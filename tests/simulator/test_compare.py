"""A comparison finds every difference, and says it in words."""

from __future__ import annotations

from sandbox.answer_key import answer, compare, describe
from sandbox.answer_key.rows import Tables
from tests.simulator.elements import T0, log, told


def tables() -> Tables:
    return answer(log(told("SENT"), told("DELIVERED", T0 + 1000), told("READ", T0 + 5000))).tables


def test_equal_tables_have_no_difference() -> None:
    assert compare(tables(), tables()) == []
    assert describe([]) == "no difference"


def test_a_missing_an_unexpected_and_a_doubled_row_are_found() -> None:
    actual = tables()
    row = actual["transitions"].pop()
    assert "transitions 1 50007000000006017 READ: expected 'a row', found no such row" in describe(
        compare(tables(), actual)
    )
    actual["transitions"] += [row, row]
    assert [(d.expected, d.actual) for d in compare(tables(), actual)] == [(1, 2)]
    actual = tables()
    actual["transitions"].append({**row, "message_id": "8"})
    assert [(d.identity[1], d.actual) for d in compare(tables(), actual)] == [("8", "a row")]


def test_a_wrong_value_is_shown_with_both_sides() -> None:
    actual = tables()
    actual["message_state"][0]["status"] = "SENT"
    found = compare(tables(), actual)
    assert str(found[0]) == "message_state 1 50007000000006017, status: expected 'READ', found 'SENT'"
    assert describe(found).startswith("1 of message_state differ:")


def test_quantiles_may_differ_by_one_per_cent_and_a_millisecond() -> None:
    actual = tables()
    actual["channel_windows"][0]["sent_to_delivered_p50_ms"] = 1010.9
    assert compare(tables(), actual) == []
    actual["channel_windows"][0]["sent_to_delivered_p50_ms"] = 1011.1
    assert len(compare(tables(), actual)) == 1
    actual["channel_windows"][0]["sent_to_delivered_p50_ms"] = None
    assert len(compare(tables(), actual)) == 1


def test_many_differences_are_counted_and_the_first_shown() -> None:
    actual = tables()
    actual["transitions"] = []
    assert describe(compare(tables(), actual), limit=1).endswith("and 2 more")
