"""`receipts lag`: how far each consumer group has come."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli._settings import load, reaching, state_dir_option

if TYPE_CHECKING:
    from core.lag import Lag


@click.command(short_help="Show what processors, sinks and notifiers have not worked on yet.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects, one a partition.")
@state_dir_option
def command(as_json: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Show by group, topic and partition what waits in Kafka.

    \b
    end        offset that the next record gets
    committed  offset of the next record that the group takes; empty where it never committed
    lag        records between the two
    age        how long ago the oldest of them was received

    Groups: `receipts` is the processors', `receipts-sink` the sinks', `receipts-notifier-NAME` a destination's. A group
    commits about once a second, so that under traffic a small lag is no backlog. Exits 0 whatever the lag is, 2 where
    Kafka is not configured, refuses the log-in or does not answer.
    """  # noqa: D301 -- click's own mark of a paragraph that it must not wrap
    from core.clock import now_ms
    from core.lag import lags
    from schemas import topics

    settings = load(state_dir)

    def ours(group: str) -> bool:
        return group == topics.APP_ID or group.startswith(f"{topics.APP_ID}-")

    def received(record: Any) -> int:
        headers = dict(record.headers)
        return int(headers.get(topics.HEADER_RECEIVED) or record.timestamp)

    async def ask() -> list[Lag]:
        async with reaching(settings, kafka=True):
            return await lags(settings, ours, received, now_ms())

    found = asyncio.run(ask())
    if as_json:
        _print_json(found)
    else:
        _print(found)


def _print_json(found: list[Lag]) -> None:
    import orjson

    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _print(found: list[Lag]) -> None:
    if not found:
        click.echo("no group has committed anything yet")
        return
    rows = [("group", "topic", "partition", "end", "committed", "lag", "age")]
    for one in found:
        age = "" if one.age_ms is None else f"{one.age_ms / 1000:.1f} s"
        committed = "" if one.committed is None else str(one.committed)
        rows.append((one.group, one.topic, str(one.partition), str(one.end), committed, str(one.lag), age))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        left = "  ".join(text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True))
        right = "  ".join(text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True))
        click.echo(f"{left}  {right}".rstrip())
    total = sum(one.lag for one in found)
    click.echo(f"{total:,} records wait" if total else "nothing waits")
