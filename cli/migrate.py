"""`receipts migrate`: create or upgrade ClickHouse's tables and views."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, reaching, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Create or upgrade the tables and views in ClickHouse; safe to repeat.

    Sets each table's time to live too, as the settings TTL_… say.
    """
    from core import logs
    from core.clickhouse import connect
    from core.settings import Settings
    from sinks.migrate import Cluster, apply_ttl, migrate, released

    async def run(settings: Settings) -> tuple[list[str], list[str]]:
        name, database = settings.clickhouse_cluster, settings.clickhouse_database
        on = f" ON CLUSTER '{name}'" if name else ""
        async with reaching(settings, clickhouse=True):
            async with connect(settings, database="default") as server:
                await server.command(f"CREATE DATABASE IF NOT EXISTS {database}{on}")
            async with connect(settings) as clickhouse:
                applied = await migrate(clickhouse, released(), Cluster(name, database) if name else None)
                return applied, await apply_ttl(clickhouse, settings)

    settings = load(state_dir)
    logs.configure("migrate", level=settings.log_level)
    applied, kept = asyncio.run(run(settings))
    click.echo(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")
    if kept:
        click.echo(f"set the time to live of {', '.join(kept)}")
