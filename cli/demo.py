"""`receipts demo`: the whole chain in a minute, and the proof that it is right."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sandbox.demo.run import Demo

INTERRUPTED = 130


@click.command(short_help="Watch webhooks become exact rates in ClickHouse.")
@click.option("--keep", is_flag=True, help="Leave the stack up until Ctrl-C, and print its URLs.")
@click.option("--messages", type=click.IntRange(min=1), default=5_000, show_default=True, help="Outgoing messages.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the traffic.")
def command(*, keep: bool, messages: int, seed: int) -> None:
    """Start the sandbox in a temporary directory, send simulated webhooks, and compare ClickHouse with the answer key.

    Exit code 0 only if they are equal.
    """
    from core import logs
    from sandbox.demo.run import Demo

    logs.configure("demo", level=os.environ.get("LOG_LEVEL") or "WARNING", human=sys.stderr.isatty())
    try:
        equal = asyncio.run(_run(Demo(os.environ, messages, seed, keep)))
    except asyncio.CancelledError:
        sys.exit(INTERRUPTED)
    sys.exit(0 if equal else 1)


async def _run(demo: Demo) -> bool:
    """Run the demo; a signal ends it as it would end by itself, with nothing left behind."""
    task = asyncio.ensure_future(demo.go())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task
