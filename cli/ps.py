"""`receipts ps`: what runs in a sandbox."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from cli._settings import load, state_dir_option

KEYS = ("role", "pid", "state", "restarts", "address")


@click.command(short_help="List the processes of the sandbox.")
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects.")
def command(state_dir: Path | None, *, as_json: bool) -> None:
    """List role, pid of the working process, state, restarts and address; exit 1 when no sandbox ever ran there."""
    from sandbox import status

    home = load(state_dir).state_dir
    rows = [{key: getattr(row, key) for key in KEYS} for row in status.current(home)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        _table(rows)
    else:
        click.echo(f"no sandbox ever ran in {home}", err=True)
    sys.exit(0 if rows else 1)


def _table(rows: list[dict[str, object]]) -> None:
    texts = [KEYS, *(tuple("-" if row[key] is None else str(row[key]) for key in KEYS) for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(KEYS))]
    for row in texts:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
