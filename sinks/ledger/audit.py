"""The audit: every check that finds what is missing, doubled or miscounted, and names it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import resources
from time import monotonic
from typing import Any

from core.clickhouse import ClickHouse
from core.settings import Settings
from sinks.doctor_groups import watch
from sinks.ledger.offsets import kafka_differences

Row = dict[str, Any]
LIMIT = 100
"""Most differing rows that one check names."""
ALWAYS = (0, 9_000_000_000_000)
"""The range that leaves out nothing, epoch ms."""
POLL_S = 0.5
_CHECKS = {
    "not_applied": "a status record that no transition tells of",
    "not_told": "a transition without its raw record",
    "windows": "a channel window that does not count what the transitions tell",
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
    """Check what was received in [from, to), epoch ms, once nothing is under way; wait up to `wait_s` for that.

    Raises what Kafka and ClickHouse raise when they cannot be asked.
    """
    under_way = await _settle(settings, wait_s)
    since, until = received
    parameters = {
        "since": since,
        "until": until,
        "limit": LIMIT,
        "retention": int(settings.window_retention.total_seconds() * 1000),
    }
    entries = await clickhouse.rows(query("entries"), parameters)
    if under_way:
        return Ledger(entries, [], under_way)
    differences = [Difference("kafka", *found) for found in await kafka_differences(settings, clickhouse, LIMIT)]
    for check, meaning in _CHECKS.items():
        differences += [Difference(check, meaning, row) for row in await clickhouse.rows(query(check), parameters)]
    if received == ALWAYS:
        meaning = "a channel whose windows do not count every status record once"
        rows = await clickhouse.rows(query("receipts"), parameters)
        differences += [Difference("receipts", meaning, row) for row in rows]
    return Ledger(entries, differences, 0)


def query(name: str) -> str:
    """Return the text of one of this package's queries."""
    return resources.files("sinks.ledger").joinpath(f"{name}.sql").read_text()


async def _settle(settings: Settings, wait_s: float) -> int:
    """Wait until processors and sinks have committed everything; return what they still have to do."""
    deadline = monotonic() + wait_s
    while True:
        groups = await watch(settings.kafka_bootstrap_servers)
        lag = sum(group.lag for group in groups)
        if not lag or monotonic() > deadline:
            return lag
        await asyncio.sleep(POLL_S)
