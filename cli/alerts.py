"""`receipts alerts`: what is wrong now, who sees to it, and whether the destinations hear of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli._settings import connected, load, state_dir_option

if TYPE_CHECKING:
    from core.clickhouse import ClickHouse
    from core.settings import Settings
    from sinks.notifier.config import Destination

Row = dict[str, Any]


@click.group()
def command() -> None:
    """List, show and acknowledge alerts; test the destinations."""


@command.command("list")
@click.option("--state", type=click.Choice(["open", "resolved", "expired", "all"]), default="open", show_default=True)
@click.option("--rule", default="", help="Only of this rule.")
@click.option("--org", default="", help="Only of this org.")
@click.option("--channel", default="", help="Only of this channel.")
@click.option("--unacked", is_flag=True, help="Only what nobody has acknowledged.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@state_dir_option
def list_(limit: int, as_json: bool, state_dir: Path | None, **wanted: Any) -> None:  # noqa: FBT001 -- click passes flags by name
    """List alerts, the latest first. A list may be empty: exit code 0."""
    from sinks.notifier.stored import found

    async def ask(_: Settings, clickhouse: ClickHouse) -> list[Row]:
        return await found(clickhouse, limit=limit, **wanted)

    rows = connected(state_dir, ask)
    if as_json:
        _print_json(rows)
    elif not rows:
        click.echo("no alerts" if wanted["state"] == "all" else f"no {wanted['state']} alerts")
    else:
        _print_lines(rows)
        if len(rows) == limit:
            click.echo(f"the latest {limit}; --limit shows more")


def _print_json(value: object) -> None:
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_lines(rows: list[Row]) -> None:
    """Print one line an alert, its id unbroken, to be copied."""
    from sinks.notifier.content import plain

    table = [
        ("state", "due", "channel", "alert", "acknowledged"),
        *((row["state"], row["due_time"], _channel(row), row["alert_id"], _acked(row)) for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _acked(row: Row) -> str:
    return f"{row['acked_time']} by {row['acked_by']}" if row["acked_time"] else "-"


def _channel(row: Row) -> str:
    kind = "" if row["channel_type"] in ("", "UNKNOWN") else f"{row['channel_type']} "
    return str(row["channel_name"] or f"{kind}{row['channel_id']}")


@command.command()
@click.argument("alert_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@state_dir_option
def show(alert_id: str, as_json: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Show one alert with its message's state. Exits 1 when there is no such alert."""
    from core.errors import NotFoundError
    from sinks.notifier.stored import one

    async def ask(_: Settings, clickhouse: ClickHouse) -> tuple[Row, Row] | None:
        return await one(clickhouse, alert_id)

    answer = connected(state_dir, ask)
    if answer is None:
        raise NotFoundError(f"no alert {alert_id} is known", fix="Copy an id from `receipts alerts list --state all`")
    alert, message = answer
    if as_json:
        _print_json({**alert, "message": message or None})
        return
    for name, value in alert.items():
        if value not in (None, ""):
            click.echo(f"{name:14} {value}")
    if message:
        click.echo(f"{'message is':14} {message['status']}")
        click.echo(f"{'timeline':14} receipts message {alert['message_id']}")


@command.command()
@click.argument("alert_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--by", "who", default="", help="Who sees to it.  [default: the user's name]")
@click.option("--note", default="", help="What to remember.")
@state_dir_option
def ack(alert_ids: tuple[str, ...], who: str, note: str, state_dir: Path | None) -> None:
    """Record that somebody sees to alerts; the latest word on an alert holds. Exits 1 when one does not exist."""
    import getpass

    from core.clock import now_ms
    from core.errors import NotFoundError
    from sinks.notifier.stored import acknowledge

    who = who or getpass.getuser()

    async def record(_: Settings, clickhouse: ClickHouse) -> list[str]:
        return await acknowledge(clickhouse, alert_ids, who=who, note=note, now=now_ms())

    unknown = connected(state_dir, record)
    if unknown:
        raise NotFoundError(
            f"no alert {', '.join(unknown)} is known, nothing was recorded",
            fix="Copy ids from `receipts alerts list`",
        )
    click.echo(f"acknowledged by {who}: {', '.join(alert_ids)}")


@command.command()
@click.option("--destination", "name", default="", help="Only this one.")
@state_dir_option
def test(name: str, state_dir: Path | None) -> None:
    """Send a test message to every destination, once each. Exits 1 when one does not take it."""
    from core.errors import ConfigError, NotFoundError
    from sinks.notifier import config

    settings = load(state_dir)
    every = config.load(settings)
    if not every:
        raise ConfigError("no destination is configured", fix="Set NOTIFY_FILE, or NOTIFY_URL and NOTIFY_SECRET")
    chosen = [each for each in every if name in ("", each.name)]
    if not chosen:
        raise NotFoundError(
            f"no destination is named {name}", fix=f"Name one of {', '.join(each.name for each in every)}"
        )
    answers = asyncio.run(_try_all(chosen, private=settings.notify_allow_private))
    for destination, answer in zip(chosen, answers, strict=True):
        click.echo(f"{destination.name}: {answer or 'delivered'}")
    if any(answers):
        raise click.exceptions.Exit(1)


async def _try_all(destinations: list[Destination], *, private: bool) -> list[str]:
    """Return why each did not take the message, '' where it did."""
    from core.clock import now_ms
    from sinks.notifier import guard
    from sinks.notifier.content import trial
    from sinks.notifier.main import sender

    async with guard.session(private=private) as session:

        async def attempt(destination: Destination) -> str:
            try:
                await sender(destination, session, private=private).send(trial(destination.name, now_ms()))
            except Exception as error:  # noqa: BLE001 -- the answer to the question, whatever it is
                return f"failed: {error or type(error).__name__}"
            return ""

        return list(await asyncio.gather(*map(attempt, destinations)))
