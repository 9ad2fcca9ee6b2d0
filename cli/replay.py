"""`receipts replay`: process raw events again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from cli._settings import load, moment, reaching, state_dir_option


@click.command(short_help="Process raw events of a range of time again, with no double effect.")
@click.option("--from", "since", required=True, help="Received from this ISO time on.")
@click.option("--to", "until", required=True, help="Received before this ISO time.")
@click.option("--org", default="", help="Only this org.")
@click.option("--channel", default="", help="Only status events of this channel.")
@click.option(
    "--source",
    type=click.Choice(["kafka", "clickhouse"]),
    default="kafka",
    show_default=True,
    help="Where to read them: Kafka keeps them for RAW_RETENTION, ClickHouse's raw_events longer.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Most records a second.  [default: no limit]")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@state_dir_option
def command(  # noqa: PLR0917 -- click passes them by name
    since: str,
    until: str,
    org: str,
    channel: str,
    source: str,
    rate: float | None,
    dry_run: bool,  # noqa: FBT001
    state_dir: Path | None,
) -> None:
    """Send what was received in a range of time to the processors again, from Kafka or from ClickHouse.

    A replayed record is its first copy to every rule: it changes no count, and may be replayed any number of times.
    Exits 1 when nothing was received in that range.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from core.clickhouse import connect
    from core.settings import Settings
    from sinks.replay import Selection, replay

    selection = Selection(moment(since, 0), moment(until, 0), org, channel)
    console = Console(stderr=True)

    async def run(settings: Settings) -> int:
        stored = source == "clickhouse"
        columns = SpinnerColumn(), TextColumn("{task.completed} sent"), TimeElapsedColumn()
        async with reaching(settings, kafka=not (stored and dry_run), clickhouse=stored):
            with Progress(*columns, console=console) as bar:
                task = bar.add_task("replay", total=None)
                async with connect(settings) as clickhouse:
                    return await replay(
                        settings,
                        clickhouse if stored else None,
                        selection,
                        rate=rate,
                        dry_run=dry_run,
                        on_progress=lambda sent: bar.update(task, completed=sent),
                    )

    count = asyncio.run(run(load(state_dir)))
    click.echo(f"{count} records {'would be sent' if dry_run else 'sent'} again")
    sys.exit(0 if count else 1)
