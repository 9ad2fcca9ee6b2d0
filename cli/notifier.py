"""`receipts notifier`: alerts to people and their programs."""

from __future__ import annotations

from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Run one notifier in the foreground: openings and resolutions of alerts to every destination configured."""
    from core import logs
    from sinks.notifier.main import run

    settings = load(state_dir)
    logs.configure("notifier", level=settings.log_level)
    run(settings)
