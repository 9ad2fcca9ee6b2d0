"""`receipts audit`: the ledger."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli._settings import load, moment, reaching, state_dir_option

if TYPE_CHECKING:
    from sinks.ledger import Ledger


@click.command(short_help="Prove that nothing was lost, doubled or miscounted.")
@click.option("--since", help="Only what was received from this ISO time on.")
@click.option("--until", help="Only what was received before this ISO time.")
@click.option("--wait", "wait_s", default=30.0, show_default=True, help="Seconds to wait for what is under way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@state_dir_option
def command(since: str | None, until: str | None, wait_s: float, as_json: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Balance the ledger: raw = applied + duplicate + parked + other, in Kafka and in ClickHouse.

    Exits 1 with the differing rows when it does not hold, or when records are still under way after --wait.
    """
    from core.clickhouse import connect
    from core.settings import Settings
    from sinks.ledger import audit
    from sinks.ledger.audit import ALWAYS

    received = (moment(since, ALWAYS[0]), moment(until, ALWAYS[1]))

    async def run(settings: Settings) -> Ledger:
        async with reaching(settings, kafka=True, clickhouse=True), connect(settings, timeout_s=600.0) as clickhouse:
            return await audit(settings, clickhouse, received=received, wait_s=wait_s)

    ledger = asyncio.run(run(load(state_dir)))
    if as_json:
        _print_json(ledger)
    else:
        _print(ledger)
    sys.exit(0 if ledger.balanced else 1)


def _print_json(ledger: Ledger) -> None:
    import orjson

    found = {
        "balanced": ledger.balanced,
        "under_way": ledger.under_way,
        "totals": ledger.totals(),
        "entries": ledger.entries,
        "differences": [{"check": each.check, "meaning": each.meaning, "row": each.row} for each in ledger.differences],
    }
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _print(ledger: Ledger) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="received, by org, channel and hour")
    names = ("org_id", "channel_id", "hour", "raw", "applied", "duplicate", "parked", "other")
    for name in names:
        table.add_column(name, justify="left" if name in names[:3] else "right")
    for entry in ledger.entries:
        table.add_row(*(str(entry[name]) for name in names))
    console = Console()
    console.print(table)
    totals = ledger.totals()
    console.print(
        f"{totals['raw']:,} raw = {totals['applied']:,} applied + {totals['duplicate']:,} duplicate "
        f"+ {totals['parked']:,} parked + {totals['other']:,} other",
        highlight=False,
    )
    for each in ledger.differences:
        place = ", ".join(f"{name} {value}" for name, value in each.row.items())
        console.print(f"{each.meaning}: {place}", highlight=False, soft_wrap=True, markup=False)
    if ledger.under_way:
        console.print(f"{ledger.under_way:,} records are still under way: ask again, or see `receipts doctor`")
    elif ledger.balanced:
        console.print("balanced")
