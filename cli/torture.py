"""`receipts torture`: traffic under faults, and every row against the answer key."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sandbox.torture.run import Torment

A_SECOND = 300
"""Events a second of --minutes."""


@click.command(short_help="Traffic under faults on a stack of its own, then every row against the answer key.")
@click.option(
    "--minutes", type=click.FloatRange(min=0.25), help="Everything, over HTTP, on three brokers, for so long."
)
@click.option("--soak", is_flag=True, help="With --minutes: no faults, but memory, lag and latency as CSV and plot.")
@click.option(
    "--report", type=click.Path(file_okay=False, path_type=Path), help="Where to leave soak.csv and soak.svg."
)
@click.option(
    "--events", type=click.IntRange(min=1), help="Records, in each run.  [default: 300 a second, or 1,000,000]"
)
@click.option("--seconds", default=120.0, show_default=True, help="How long traffic and faults last.")
@click.option("--seed", "seeds", multiple=True, type=int, help="One run each.  [default: 1, or 1, 2 and 3]")
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
def command(seeds: tuple[int, ...], minutes: float | None, soak: bool, report: Path | None, **given: Any) -> None:  # noqa: FBT001 -- click passes flags by name
    """Bring traffic while faults strike at random; then compare every row with the answer key.

    One run a seed, each on a stack in a temporary directory, which is kept when something is not as it must be. With
    --minutes everything is struck by everything: SIGKILL, SIGSTOP of up to 30 s and SIGTERM of every role, of brokers
    (one, two, all at once) and of the supervisor; slow, cut and half-open networks; clock steps; full disks; other
    numbers of processors and sinks. Without, traffic goes straight into Kafka (or --http) and roles are killed, paused
    and stopped. Exits 0 only when all rows of all runs are as they must be.
    """
    from core import logs
    from sandbox.torture.run import Torture

    if soak and minutes is None:
        raise click.UsageError("--soak needs --minutes")
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
    logs.configure("torture", level="ERROR", human=sys.stderr.isatty())
    equal = True
    for seed in seeds or ((1,) if minutes is not None else (1, 2, 3)):
        if minutes is None:
            torment = _by_numbers(seed, given, report)
        else:
            torment = _by_minutes(seed, minutes, given, (report or Path.cwd()) if soak else None)
        equal &= asyncio.run(Torture(os.environ, torment).go())
    sys.exit(0 if equal else 1)


def _shared(given: dict[str, Any]) -> dict[str, Any]:
    traffic = {name: given[name] for name in ("duplicates", "reorder", "missing", "channels")}
    return {
        "traffic": traffic,
        "settings": {"STATE_STORE": given["store"], "PROCESSOR_STANDBYS": str(given["standbys"])},
    }


def _by_numbers(seed: int, given: dict[str, Any], report: Path | None) -> Torment:
    from sandbox.torture.faults import Appetite
    from sandbox.torture.run import BEHIND_KAFKA, EVERYTHING, Torment

    return Torment(
        events=given["events"] or 1_000_000,
        seconds=given["seconds"],
        seed=seed,
        appetite=Appetite(given["kills"], given["pauses"], given["terminations"]),
        targets=EVERYTHING if given["http"] else BEHIND_KAFKA,
        http=given["http"],
        report=report,
        **_shared(given),
    )


def _by_minutes(seed: int, minutes: float, given: dict[str, Any], soak: Path | None) -> Torment:
    """Return a run of everything; where `soak` says where its samples go, one without faults."""
    from sandbox.torture.faults import Appetite, of_minutes
    from sandbox.torture.run import EVERY_BROKER, EVERYTHING, Torment

    return Torment(
        events=given["events"] or round(A_SECOND * 60 * minutes),
        seconds=60 * minutes,
        seed=seed,
        appetite=of_minutes(minutes) if soak is None else Appetite(0),
        targets=(*EVERYTHING, *EVERY_BROKER),
        http=True,
        brokers=3,
        report=soak,
        **_shared(given),
    )
