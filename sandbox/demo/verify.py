"""Waiting until everything has arrived, and comparing it with both answer keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from core.clock import now_ms
from core.errors import ReceiptstreamError
from core.settings import Settings
from sandbox.answer_key import AnswerKey, Difference, answer, answer_of_bodies, compare
from sandbox.answer_key.alerts import DEFAULT_RULES, Rule
from sandbox.answer_key.collect import collect
from sandbox.answer_key.key import without_arrival
from sandbox.answer_key.rows import Row, Tables, iso
from sandbox.demo.actual import Warehouse

POLL_S = 0.2
_COUNTED = ("sent", "delivered", "read", "other", "duplicates", "late")


class NotThereError(ReceiptstreamError):
    """ClickHouse does not have everything in time."""

    tag = "not_there"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison by both ways in: records read back from Kafka, and what was sent."""

    exact: list[Difference]
    """Against the records as they stand in Kafka: every digit, arrival included."""
    sent: list[Difference]
    """Against what was sent over HTTP: what Kafka or the ingress lost would show here."""
    key: AnswerKey
    rows: int
    """How many rows were compared."""
    early: int = 0
    """How many alerts had opened although the record that resolved them had been received by then."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.exact and not self.sent


async def counts(warehouse: Warehouse) -> dict[str, int]:
    """Return how much has arrived: numbers that only grow, each with its name."""
    windows = " + ".join(_COUNTED)
    queries = {
        "raw events": "SELECT count() FROM raw_events",
        "transitions": "SELECT count() FROM transitions",
        "receipts in channel windows": f"SELECT sum({windows}) FROM channel_windows",  # noqa: S608 -- our own names
        "messages": "SELECT count() FROM message_state",
        "dead letters": "SELECT count() FROM dead_letters",
    }
    return {name: await warehouse.number(sql) for name, sql in queries.items()}


def expected_counts(key: AnswerKey, parked_at_ingress: int) -> dict[str, int]:
    """Return what `counts` must reach."""
    return {
        "raw events": key.ledger["raw"],
        "transitions": key.ledger["applied"],
        "receipts in channel windows": key.ledger["applied"] + key.ledger["duplicate"],
        "messages": len(key.tables["message_state"]),
        "dead letters": parked_at_ingress + key.ledger["parked"],
    }


async def wait(
    warehouse: Warehouse,
    expected: dict[str, int],
    deadline_s: float,
    on_progress: Callable[[dict[str, int]], None] = lambda _: None,
) -> None:
    """Wait until ClickHouse has it all. Raises NotThereError naming what is missing."""
    deadline = monotonic() + deadline_s
    while True:
        found = await counts(warehouse)
        on_progress(found)
        if found == expected:
            return
        if monotonic() > deadline:
            missing = ", ".join(
                f"{name}: {found[name]:,} of {number:,}" for name, number in expected.items() if found[name] != number
            )
            raise NotThereError(f"after {deadline_s:.0f} s ClickHouse has not what was sent: {missing}")
        await asyncio.sleep(POLL_S)


async def verify(
    settings: Settings,
    warehouse: Warehouse,
    of_bodies: AnswerKey,
    *,
    rules: Sequence[Rule] = DEFAULT_RULES,
    settle_s: float = 15.0,
    early: bool = False,
) -> Verdict:
    """Compare ClickHouse with the answer key of what was sent and that of the records in Kafka.

    A difference must stay for `settle_s` to count: a window's counts may be complete before its last latency is.
    With `early`, spools and clocks that were set wrong may have had alerts open early: such a row may be there, every
    column as it must be, or not.
    """
    key = answer(await collect(settings), retention_ms=_ms(settings))
    until_ms = now_ms()
    key.tables["alerts"] = key.alerts(until_ms, rules)
    may_be = _surplus(key.alerts(until_ms, rules, early=True), key.tables["alerts"]) if early else []
    deadline = monotonic() + settle_s
    while True:
        actual = await warehouse.tables()
        # An alert may open while we look; one that must be there by now is looked for below.
        seen = [row for row in actual["alerts"] if row["state"] != "open" or str(row["opened_time"]) <= iso(until_ms)]
        actual["alerts"] = _surplus(seen, may_be)
        verdict = _verdict(key, of_bodies, actual, len(seen) - len(actual["alerts"]))
        if verdict.equal or monotonic() > deadline:
            return verdict
        await asyncio.sleep(POLL_S)


def _surplus(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Return the rows of which no equal one is among the others."""
    known = {tuple(sorted(row.items())) for row in others}
    return [row for row in rows if tuple(sorted(row.items())) not in known]


def _verdict(key: AnswerKey, of_bodies: AnswerKey, actual: Tables, early: int) -> Verdict:
    rows = sum(len(rows) for rows in key.tables.values())
    return Verdict(compare(key.tables, actual), compare(of_bodies.tables, without_arrival(actual)), key, rows, early)


def key_of(settings: Settings, bodies: Sequence[bytes], sent_ms: int) -> AnswerKey:
    """Return the answer key of what was sent at about `sent_ms`."""
    return answer_of_bodies(bodies, sent_ms, retention_ms=_ms(settings))


def _ms(settings: Settings) -> int:
    return int(settings.window_retention.total_seconds() * 1000)
