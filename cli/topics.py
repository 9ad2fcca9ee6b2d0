"""`receipts topics`: create the pipeline's topics."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, state_dir_option


@click.command(short_help="Create the topics; safe to repeat.")
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Create the topics that are missing, with RAW_PARTITIONS partitions and REPLICATION_FACTOR replicas.

    Prints every topic with its partitions. Refuses when one exists with another number of partitions.
    """
    from core import logs
    from core.errors import ConfigError
    from core.kafka import create_topics
    from schemas.topics import specs

    settings = load(state_dir)
    logs.configure("topics", level=settings.log_level)
    if not settings.kafka_bootstrap_servers:
        raise ConfigError(
            f"no Kafka: KAFKA_BOOTSTRAP_SERVERS is empty and no sandbox runs in {settings.state_dir}",
            fix="Set KAFKA_BOOTSTRAP_SERVERS, or start the sandbox with `receipts up`",
        )
    counts = asyncio.run(
        create_topics(
            settings,
            specs(settings),
            partitions=settings.raw_partitions,
            replication=settings.replication_factor,
        )
    )
    for name, partitions in sorted(counts.items()):
        click.echo(f"{name}\t{partitions}")
