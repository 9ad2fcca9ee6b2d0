"""`receipts processor`: message state and channel windows."""

from __future__ import annotations

from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Run one processor in the foreground: receipts to transitions, windows and dead letters."""
    from core import logs
    from processors.main import run

    settings = load(state_dir)
    logs.configure("processor", level=settings.log_level)
    run(settings)
