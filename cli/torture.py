"""`receipts torture`: traffic under faults, and every row against the answer key."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import click


@click.command(short_help="Traffic under faults on a stack of its own, then every row against the answer key.")
@click.option("--events", default=1_000_000, show_default=True, help="Records, in each run.")
@click.option("--seconds", default=120.0, show_default=True, help="How long traffic and faults last.")
@click.option("--seed", "seeds", multiple=True, type=int, default=(1, 2, 3), show_default=True, help="One run each.")
@click.option("--kills", default=20, show_default=True, help="SIGKILLs.")
@click.option("--pauses", default=3, show_default=True, help="SIGSTOPs of up to 13 s.")
@click.option("--terminations", default=3, show_default=True, help="SIGTERMs.")
@click.option("--duplicates", default=0.10, show_default=True, help="Share of receipts told twice.")
@click.option("--reorder", default=0.20, show_default=True, help="Share of receipts overtaken.")
@click.option("--missing", default=0.02, show_default=True, help="Share of receipts never told.")
@click.option("--channels", default=14, show_default=True, help="Channels of each of three orgs.")
@click.option("--http", is_flag=True, help="Send over HTTP, and strike every role, broker and warehouse too.")
@click.option("--standbys", default=0, show_default=True, help="Processors that follow each partition.")
@click.option("--store", type=click.Choice(["memory", "rocksdb"]), default="memory", show_default=True)
def command(seeds: tuple[int, ...], store: str, **given: Any) -> None:
    """Bring traffic while roles are killed, paused and stopped at random; then compare every row with the answer key.

    One run a seed, each on a stack in a temporary directory, which is kept when a row differs. Exits 0 only when all
    rows of all runs are as they must be.
    """
    from core import logs
    from sandbox.torture.faults import Appetite
    from sandbox.torture.run import BEHIND_KAFKA, EVERYTHING, Torment, Torture

    logs.configure("torture", level="ERROR", human=sys.stderr.isatty())
    traffic = {name: given[name] for name in ("duplicates", "reorder", "missing", "channels")}
    equal = True
    for seed in seeds:
        torment = Torment(
            events=given["events"],
            seconds=given["seconds"],
            seed=seed,
            appetite=Appetite(given["kills"], given["pauses"], given["terminations"]),
            targets=EVERYTHING if given["http"] else BEHIND_KAFKA,
            http=given["http"],
            traffic=traffic,
            settings={"STATE_STORE": store, "PROCESSOR_STANDBYS": str(given["standbys"])},
        )
        equal &= asyncio.run(Torture(os.environ, torment).go())
    sys.exit(0 if equal else 1)
