"""`receipts sink`: Kafka to ClickHouse."""

from __future__ import annotations

from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Run one sink in the foreground: every topic's records to ClickHouse's tables."""
    from core import logs
    from sinks.main import run

    settings = load(state_dir)
    logs.configure("sink", level=settings.log_level)
    run(settings)
