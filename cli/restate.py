"""`receipts restate`: decide everything anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, need, reaching, state_dir_option


@click.command(short_help="Decide everything anew from the raw events, after a rule or setting changed.")
@click.option(
    "--wait",
    "wait_s",
    default=30.0,
    show_default=True,
    help="Seconds to wait for processors to be gone, and for sinks.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@state_dir_option
def command(wait_s: float, yes: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Take back what processors have derived, so that they derive it anew from Kafka's raw records.

    Stop all processors first, and start them with the new rules or settings afterwards. Until they have caught up,
    tables are incomplete; then each row is what the new rules make of the raw records. Where STATE_STORE=rocksdb,
    delete STATE_DIR/processor on every machine in between. Raw events and dead letters stay as they are.
    """
    from core import logs
    from core.clickhouse import connect
    from core.settings import Settings
    from sinks.restate import DERIVED, restate

    async def run(settings: Settings) -> None:
        async with reaching(settings, kafka=True, clickhouse=True), connect(settings, timeout_s=600.0) as clickhouse:
            await restate(settings, clickhouse, wait_s=wait_s)

    settings = load(state_dir)
    need(settings, kafka=True, clickhouse=True)
    logs.configure("restate", level=settings.log_level)
    if not yes:
        click.confirm(f"Empty {', '.join(DERIVED)} and derive them anew?", abort=True, err=True)
    asyncio.run(run(settings))
    click.echo("done: start the processors; `receipts audit` tells when everything is derived and stored")
