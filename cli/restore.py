"""`receipts restore`: begin anew from the raw events of an older database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, reaching, state_dir_option


@click.command(short_help="Fill an empty raw topic from the raw_events of an older database.")
@click.option("--from-database", "source", required=True, help="The database that has the raw events.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Most records a second.  [default: no limit]")
@state_dir_option
def command(source: str, rate: float | None, state_dir: Path | None) -> None:
    """Send all raw events of an older database to an empty im.events.raw, as they were received.

    For a Kafka cluster that was lost, and for a restatement of what Kafka no longer has. Offsets are new, so
    CLICKHOUSE_DATABASE must name a new database. Run it before the ingress takes events in; one that was interrupted is
    simply run again.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from core.clickhouse import connect
    from core.errors import ConfigError
    from core.settings import Settings
    from sinks.replay.restore import restore

    async def run(settings: Settings) -> int:
        columns = SpinnerColumn(), TextColumn("{task.completed} sent"), TimeElapsedColumn()
        async with reaching(settings, kafka=True, clickhouse=True):
            with Progress(*columns, console=Console(stderr=True)) as bar:
                task = bar.add_task("restore", total=None)
                async with connect(settings, database=source, timeout_s=600.0) as old:
                    return await restore(
                        settings, old, rate=rate, on_progress=lambda sent: bar.update(task, completed=sent)
                    )

    settings = load(state_dir)
    if source == settings.clickhouse_database:
        raise ConfigError(
            f"CLICKHOUSE_DATABASE={source!r} is the database to restore from",
            fix="Set CLICKHOUSE_DATABASE to a new one for every role and for this command",
        )
    click.echo(f"{asyncio.run(run(settings))} records sent")
