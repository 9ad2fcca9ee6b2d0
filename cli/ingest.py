"""`receipts ingest`: the HTTP ingress in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command()
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Take webhooks in and answer once every event is durable."""
    from core import logs
    from ingest.main import run

    settings = load(state_dir)
    logs.configure("ingest", level=settings.log_level)
    run(settings)
