"""`receipts migrate`: create or upgrade ClickHouse's tables and views."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Create or upgrade the tables and views in ClickHouse; safe to repeat."""
    from core import logs
    from core.clickhouse import connect
    from core.settings import Settings
    from sinks.migrate import migrate, released

    async def run(settings: Settings) -> list[str]:
        async with connect(settings, database="default") as server:
            await server.command(f"CREATE DATABASE IF NOT EXISTS {settings.clickhouse_database}")
        async with connect(settings) as clickhouse:
            return await migrate(clickhouse, released())

    settings = load(state_dir)
    logs.configure("migrate", level=settings.log_level)
    applied = asyncio.run(run(settings))
    click.echo(f"applied {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")
