"""`receipts channels`: what each channel is, from events, from a file, and from Zoho's own list."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli._settings import connected, load, reaching, state_dir_option

if TYPE_CHECKING:
    from core.clickhouse import ClickHouse
    from core.settings import Settings


@click.group(short_help="List channels; tell their types and names.")
def command() -> None:
    """Name the channels: types and names that events did not tell, from a file or from Zoho's own list."""


@command.command("list")
@click.option("--org", default="", help="Only this org.")
@click.option("--type", "type_", default="", help="Only this type, such as WHATSAPP or UNKNOWN.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@state_dir_option
def list_(org: str, type_: str, as_json: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """List every channel that was heard or listed. Exits 1 when there is none."""
    import orjson

    from sinks.channels.store import listed

    async def find(_: Settings, clickhouse: ClickHouse) -> list[dict[str, Any]]:
        return await listed(clickhouse, org_id=org, type_=type_)

    rows = connected(state_dir, find)
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(rows)
    sys.exit(0 if rows else 1)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--org", default="", help="The org of rows that name none.")
@click.option("--dry-run", is_flag=True, help="Read the file and store nothing.")
@state_dir_option
def import_(file: Path, org: str, dry_run: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Read channels from a CSV file with a header line, or from a JSON list.

    Columns: channel_id, type, name, and if you like org_id, account_name, department_id, active.
    """
    from core.clock import now_ms
    from sinks.channels.listing import read
    from sinks.channels.store import store

    channels = read(file.read_text(encoding="utf-8"), json=file.suffix.lower() == ".json", org_id=org)

    async def keep(_: Settings, clickhouse: ClickHouse) -> None:
        await store(clickhouse, channels, "file", now_ms())

    if not dry_run:
        connected(state_dir, keep)
    click.echo(f"{'would store' if dry_run else 'stored'} {len(channels):,} channels")


@command.command()
@click.option("--org", "orgs", multiple=True, help="An org to ask for; may be repeated.  [default: all heard]")
@state_dir_option
def sync(orgs: tuple[str, ...], state_dir: Path | None) -> None:
    """Ask Zoho Desk for its list of channels (needs ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_REFRESH_TOKEN)."""
    import aiohttp

    from core.clickhouse import connect
    from core.clock import now_ms
    from sinks.channels.store import orgs_heard, store
    from sinks.channels.zoho import ZohoChannels

    settings = load(state_dir)

    async def run() -> int:
        async with (
            reaching(settings, clickhouse=True),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            connect(settings) as clickhouse,
        ):
            zoho = ZohoChannels(session, settings)
            total = 0
            for org in orgs or await orgs_heard(clickhouse):
                found = await zoho.of_org(org)
                if found:
                    await store(clickhouse, found, "zoho", now_ms())
                click.echo(f"org {org}: {len(found):,} channels")
                total += len(found)
            return total

    if not asyncio.run(run()):
        click.echo("Zoho listed no channels", err=True)
        sys.exit(1)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ("org", "channel", "type", "name", "active", "last heard"):
        table.add_column(name, no_wrap=name != "name")
    for row in rows:
        heard = row["last_heard"] or "never"
        active = "yes" if row["active"] else "no"
        table.add_row(row["org_id"], row["channel_id"], row["type"], row["name"], active, str(heard))
    Console().print(table)
