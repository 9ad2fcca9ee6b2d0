"""`receipts topics`: create the pipeline's topics."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli._settings import load, reaching, state_dir_option


@click.command(short_help="Create the topics; safe to repeat.")
@state_dir_option
def command(state_dir: Path | None) -> None:
    """Create the topics that are missing, with RAW_PARTITIONS partitions and REPLICATION_FACTOR replicas.

    Prints every topic with its partitions. Refuses when one exists with another number of partitions.
    """
    from core import logs
    from core.kafka import create_topics
    from schemas.topics import specs

    settings = load(state_dir)
    logs.configure("topics", level=settings.log_level)

    async def run() -> dict[str, int]:
        async with reaching(settings, kafka=True):
            return await create_topics(
                settings,
                specs(settings),
                partitions=settings.raw_partitions,
                replication=settings.replication_factor,
            )

    counts = asyncio.run(run())
    for name, partitions in sorted(counts.items()):
        click.echo(f"{name}\t{partitions}")
