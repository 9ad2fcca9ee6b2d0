"""`receipts broker`: the sandbox's Kafka in the foreground."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command(short_help="Run the sandbox's Kafka in the foreground.")
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Run a single node of Apache Kafka on SANDBOX_KAFKA_PORT of loopback, data in STATE_DIR/kafka.

    The process becomes the broker. Where Kafka's jars cannot be had a broker in memory stands in, and says so.
    """
    from core import logs
    from sandbox import broker

    settings = load(state_dir)
    logs.configure("broker", level=settings.log_level)
    broker.run(settings, os.environ)
