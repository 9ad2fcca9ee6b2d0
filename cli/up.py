"""`receipts up`: the whole stack in the foreground."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from cli._settings import state_dir_option


def _scale(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        role, _sign, number = value.partition("=")
        if not number.isdecimal():
            raise click.BadParameter(f"{value!r}: write ROLE=N, such as processor=2")
        found[role] = int(number)
    return found


@click.command(short_help="Run the whole stack in the foreground.")
@state_dir_option
@click.option("--scale", metavar="ROLE=N", multiple=True, callback=_scale, help="How many of a role; repeatable.")
@click.option(
    "--brokers", type=click.IntRange(1, 9), help="Nodes of Kafka; with 3, topics have 3 replicas.  [default: 1]"
)
def command(state_dir: Path | None, scale: dict[str, int], brokers: int | None) -> None:
    """Run broker, ClickHouse engine and all roles under one supervisor that restarts what dies.

    One line that begins with `ready` names the URLs once everything answers. SIGTERM or Ctrl-C drains and ends.
    With KAFKA_BOOTSTRAP_SERVERS or CLICKHOUSE_URL set, that part is yours and not started here.
    """
    from core import logs
    from core.settings import parse
    from sandbox.stack import Stack
    from sandbox.supervisor import serve

    settings = parse(os.environ)
    logs.configure("up", level=settings.log_level, human=sys.stderr.isatty())
    home = state_dir or settings.state_dir

    async def main() -> None:
        await serve(Stack(home, environ=os.environ, scale=scale, brokers=brokers), click.echo)

    asyncio.run(main())
