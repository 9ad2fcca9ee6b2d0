"""Expected rows against actual ones: every differing row, in words a person can act on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.answer_key.rows import IDENTITY, Row, Tables, Value

QUANTILE_SHARE = 0.01
QUANTILE_MS = 1.0
"""Quantiles come from sketches: 1 % and a millisecond apart is equal."""

_MISSING = "no such row"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not as it must be."""

    table: str
    identity: tuple[Value, ...]
    column: str
    """'' when the whole row is missing, unexpected or there twice."""
    expected: Value
    actual: Value

    def __str__(self) -> str:
        where = f"{self.table} {' '.join(map(str, self.identity))}"
        name = f", {self.column}" if self.column else ""
        return f"{where}{name}: expected {_shown(self.expected)}, found {_shown(self.actual)}"


def _shown(value: Value) -> str:
    return _MISSING if value == _MISSING else repr(value)


def compare(expected: Tables, actual: Tables) -> list[Difference]:
    """Compare every table and column that is expected; further tables and columns of `actual` are not looked at."""
    found: list[Difference] = []
    for table, rows in expected.items():
        found += _table(table, rows, actual.get(table, []))
    return found


def _table(table: str, expected: Iterable[Row], actual: Iterable[Row]) -> list[Difference]:
    wanted, _ = _by_identity(table, expected)
    there, twice = _by_identity(table, actual)
    found = [Difference(table, place, "", 1, count) for place, count in twice.items()]
    found += [Difference(table, place, "", _MISSING, "a row") for place in there.keys() - wanted.keys()]
    for place, row in wanted.items():
        if place not in there:
            found.append(Difference(table, place, "", "a row", _MISSING))
            continue
        found += [
            Difference(table, place, name, value, there[place].get(name, _MISSING))
            for name, value in row.items()
            if not _equal(name, value, there[place].get(name, _MISSING))
        ]
    return found


def _by_identity(table: str, rows: Iterable[Row]) -> tuple[dict[tuple[Value, ...], Row], dict[tuple[Value, ...], int]]:
    """Index rows by identity, and count those identities that stand there more than once."""
    indexed: dict[tuple[Value, ...], Row] = {}
    twice: dict[tuple[Value, ...], int] = {}
    for row in rows:
        place = tuple(row[name] for name in IDENTITY[table])
        if place in indexed:
            twice[place] = twice.get(place, 1) + 1
        indexed[place] = row
    return indexed, twice


def _equal(name: str, expected: Value, actual: Value) -> bool:
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        if name.endswith(("_p50_ms", "_p95_ms")):
            return abs(expected - actual) <= QUANTILE_SHARE * abs(expected) + QUANTILE_MS
        return math.isclose(expected, actual, rel_tol=1e-9)
    return expected == actual


def describe(differences: list[Difference], limit: int = 10) -> str:
    """Say how many rows differ per table, and show the first of them."""
    if not differences:
        return "no difference"
    tables: dict[str, set[tuple[Value, ...]]] = {}
    for difference in differences:
        tables.setdefault(difference.table, set()).add(difference.identity)
    counts = ", ".join(f"{len(places)} of {table}" for table, places in tables.items())
    shown = "\n".join(f"  {difference}" for difference in differences[:limit])
    more = f"\n  and {len(differences) - limit} more" if len(differences) > limit else ""
    return f"{counts} differ:\n{shown}{more}"
