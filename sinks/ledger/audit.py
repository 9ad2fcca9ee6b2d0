"""The audit: every check that finds what is missing, doubled or miscounted, and names it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import resources
from typing import Any

from core.clickhouse import ClickHouse
from core.settings import Settings
from sinks.ledger.offsets import kafka_differences
from sinks.ledger.progress import settle

Row = dict[str, Any]
LIMIT = 100
"""Most differing rows that one check names."""
ALWAYS = (0, 9_000_000_000_000)
"""The range that leaves out nothing, epoch ms."""
LOOK_AGAIN_S = 3.0
"""What is found is looked for again so much later: windows are published up to a second after their records."""
CHECKS = {
    "not_applied": "a status record that no transition tells of",
    "not_told": "a transition without its raw record",
    "windows": "a channel window that does not count what the records tell",
    "letters": "a dead letter without its raw record, or a record of which nothing was made",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it must be: the check, what it means, and the row that shows it."""

    check: str
    meaning: str
    row: Row


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of everything received in a range."""

    entries: list[Row]
    """By org, channel and hour: raw = applied + duplicate + parked + other."""
    differences: list[Difference]
    under_way: int
    """Records that processors or sinks had still not committed; then nothing was checked."""

    @property
    def balanced(self) -> bool:
        """Whether everything was checked and nothing differs."""
        return not self.differences and not self.under_way

    def totals(self) -> dict[str, int]:
        """Return the sums over all entries."""
        names = ("raw", "applied", "duplicate", "parked", "other")
        return {name: sum(int(entry[name]) for entry in self.entries) for name in names}


async def audit(
    settings: Settings, clickhouse: ClickHouse, *, received: tuple[int, int] = ALWAYS, wait_s: float = 30.0
) -> Ledger:
    """Check what was received in [from, to), epoch ms, once what is there now is through; wait up to `wait_s` for that.

    A difference is told when it is found twice, so that traffic that goes on makes none. Raises what Kafka and
    ClickHouse raise when they cannot be asked.
    """
    parameters = {
        "since": received[0],
        "until": received[1],
        "limit": LIMIT,
        "retention": int(settings.window_retention.total_seconds() * 1000),
    }
    differences: list[Difference] = []
    under_way = await settle(settings, wait_s)
    if not under_way and (differences := await _check(settings, clickhouse, parameters)):
        await asyncio.sleep(LOOK_AGAIN_S)
        under_way = await settle(settings, wait_s)
        again = [] if under_way else await _check(settings, clickhouse, parameters)
        differences = [found for found in differences if found in again]
    return Ledger(await clickhouse.rows(query("entries"), parameters), differences, under_way)


async def _check(settings: Settings, clickhouse: ClickHouse, parameters: dict[str, int]) -> list[Difference]:
    """Return what differs now."""
    found = [Difference("kafka", *each) for each in await kafka_differences(settings, clickhouse, LIMIT)]
    for check, meaning in CHECKS.items():
        found += [Difference(check, meaning, row) for row in await clickhouse.rows(query(check), parameters)]
    if (parameters["since"], parameters["until"]) == ALWAYS:
        meaning = "a channel whose windows do not count every status record once"
        rows = await clickhouse.rows(query("receipts"), parameters)
        found += [Difference("receipts", meaning, row) for row in rows]
    return found


def query(name: str) -> str:
    """Return the text of one of this package's queries."""
    return resources.files("sinks.ledger").joinpath(f"{name}.sql").read_text()
