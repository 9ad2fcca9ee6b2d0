"""deploy/clickhouse/grants.sql: on the real engine each role does its work with its rights, and has none besides."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.migrate import released
from tests.security.rights import DATABASE, GRANT, WORK, WRONG, granted, statements

pytestmark = pytest.mark.stack

_CREATE = re.compile(r"\A(?:\s|--[^\n]*\n)*CREATE (?:OR REPLACE )?(TABLE|MATERIALIZED VIEW|VIEW) (\w+)")
RELATIONS = {
    match[2]: (match[1], statement)
    for migration in released()
    for statement in migration.statements
    if (match := _CREATE.match(statement))
}
"""Kind and text of each table and view of the migrations; of two of one name the last."""
TEXTS_OF_CUSTOMERS = {"raw_events_log", "dead_letters_log"}

Found = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Run each role's work with its rights alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.rights", str(tmp_path_factory.mktemp("rights"))],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    answer: Found = json.loads(done.stdout)
    return answer


def named(sql: str, words: str) -> set[str]:
    """Return the tables and views that stand behind one of the words."""
    plain = re.sub(r"--[^\n]*", "", sql)
    return set(re.findall(rf"\b(?:{words})\s+(?:{DATABASE}\.)?(\w+)", plain)) & RELATIONS.keys()


def under(names: set[str]) -> set[str]:
    """Return these tables and views, and what is read when the views are."""
    reached: set[str] = set()
    left = set(names)
    while left:
        name = left.pop()
        reached.add(name)
        kind, text = RELATIONS[name]
        if kind == "VIEW":
            left |= named(text, "FROM|JOIN") - reached
    return reached


def on(role: str, right: str) -> set[str]:
    """Return the tables and views that a role has a right on."""
    return {name.removeprefix(f"{DATABASE}.") for each, name in granted()[role] if each == right}


def test_every_role_has_work_and_rights() -> None:
    assert granted().keys() == WORK.keys()


@pytest.mark.parametrize("role", WORK)
def test_a_role_does_its_work_with_its_rights(role: str, found: Found) -> None:
    assert found[role]["asked"]
    assert found[role]["denied"] == []


def test_rights_are_asked_for_at_all(found: Found) -> None:
    """A user with one right alone is refused each query of the dashboard."""
    stranger = found["stranger"]
    assert len(stranger["denied"]) == len(stranger["asked"]) > 0


@pytest.mark.parametrize("role", sorted(WORK.keys() - {"receipts_migrate"}))
def test_a_role_has_no_right_that_it_does_not_use(role: str, found: Found) -> None:
    asked = found[role]["asked"]
    read = set().union(*(named(sql, "FROM|JOIN") for sql in asked))
    written = set().union(*(named(sql, "INTO") for sql in asked))
    assert on(role, "INSERT") == written
    # Who feeds a materialized view reads the table that it hangs on.
    feeding = written & {name for kind, text in RELATIONS.values() if kind != "VIEW" for name in named(text, "FROM")}
    assert on(role, "SELECT") == under(read | feeding)
    assert {right for right, _ in granted()[role]} <= {"SELECT", "INSERT"}


def test_an_analyst_reads_every_view_that_has_no_text_of_customers() -> None:
    views = {name for name, (kind, _) in RELATIONS.items() if kind == "VIEW" and not under({name}) & TEXTS_OF_CUSTOMERS}
    assert views <= on("receipts_analyst", "SELECT")
    for role in ("receipts_analyst", "receipts_notifier"):
        assert not on(role, "SELECT") & TEXTS_OF_CUSTOMERS


def test_the_statements_are_clickhouse_s(found: Found) -> None:
    assert found["language"]["denied"] == [WRONG]
    # What the tests above do not read is no right.
    for statement in statements():
        assert GRANT.match(statement) or statement.startswith("CREATE ROLE IF NOT EXISTS "), statement
