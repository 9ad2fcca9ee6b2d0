"""The ledger balances on a real chain."""

from __future__ import annotations

import pytest

from tests.end_to_end.apart import audit, named, row, sql, told_by_the_sink
from tests.stack import Up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def test_the_ledger_of_an_undisturbed_chain_balances(apart: Up) -> None:
    code, found = audit(apart)
    assert named(found) == []
    assert (code, found["balanced"], found["under_way"]) == (0, True, 0)
    totals = found["totals"]
    assert totals["raw"] == totals["applied"] + totals["duplicate"] + totals["parked"] + totals["other"] > 0
    assert totals["duplicate"] > 0
    assert totals["raw"] == int(sql(apart, "SELECT count() FROM raw_events"))
    assert totals["applied"] == int(sql(apart, "SELECT count() FROM transitions"))


def test_a_range_of_time_holds_by_itself_and_an_empty_one_too(apart: Up) -> None:
    code, found = audit(apart, "--since", "2001-01-01", "--until", "2001-01-02T00:00:00Z")
    assert (code, found["entries"], found["totals"]["raw"]) == (0, [], 0)
    middle = row(apart, "SELECT quantileExact(0.5)(received_time) AS at FROM raw_events")["at"].replace(" ", "T")
    first, second = audit(apart, "--until", middle), audit(apart, "--since", middle)
    assert (first[0], second[0]) == (0, 0)
    whole = audit(apart)[1]["totals"]
    assert {name: first[1]["totals"][name] + second[1]["totals"][name] for name in whole} == whole


def test_a_time_that_is_none_is_a_usage_error(apart: Up) -> None:
    done = apart.receipts("audit", "--since", "yesterday")
    assert done.returncode == 2
    assert "no ISO time" in done.stderr


def test_a_table_that_says_so_prints_the_sums(apart: Up) -> None:
    done = apart.receipts("audit")
    assert done.returncode == 0
    assert "balanced" in done.stdout
    assert " duplicate + " in done.stdout


async def test_the_sink_tells_that_it_balances(apart: Up) -> None:
    assert await told_by_the_sink(apart) == 0
    assert row(apart, "SELECT balanced, differences FROM audits") == {"balanced": True, "differences": []}
