"""`receipts dashboard`: the page for support leads, and the read API behind it."""

from __future__ import annotations

from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Serve the dashboard in the foreground: pages, read API and live stream."""
    from cli._letters import Desk
    from core import logs
    from dashboard.main import run

    settings = load(state_dir)
    logs.configure("dashboard", level=settings.log_level)
    run(settings, Desk(settings))
