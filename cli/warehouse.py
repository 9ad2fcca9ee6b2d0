"""`receipts warehouse`: ClickHouse's engine in the foreground."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command(short_help="Run the sandbox's ClickHouse engine in the foreground.")
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Run ClickHouse's engine behind its HTTP protocol on SANDBOX_CLICKHOUSE_PORT of loopback.

    The data is in STATE_DIR/clickhouse. SIGTERM lets running statements end and closes the engine.
    """
    from core import logs

    os.environ["TZ"] = "UTC"  # the engine takes its time zone from the process
    time.tzset()
    from sandbox.warehouse import main

    settings = load(state_dir)
    logs.configure("warehouse", level=settings.log_level)
    main.run(settings)
