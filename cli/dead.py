"""`receipts dead`: work on dead letters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cli._settings import connected, moment, state_dir_option

if TYPE_CHECKING:
    from core.clickhouse import ClickHouse
    from core.settings import Settings
    from sinks.letters import Letter, Wanted

SHOWN = 60
"""Characters of a body in a list."""


@click.group()
def command() -> None:
    """List, show, redrive or discard what the pipeline could not use."""


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose letters."""
    options = (
        click.option("--stage", default="", help="Who refused it: ingress, processor, sink, notifier."),
        click.option("--reason", default="", help="The reason's tag, as `list` shows it."),
        click.option("--since", help="Failed from this ISO time on."),
        click.option("--until", help="Failed before this ISO time."),
        click.option("--id", "ids", multiple=True, help="These letters alone."),
        state_dir_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def wanted(state: str, given: dict[str, Any]) -> Wanted:
    """Return what the options choose."""
    from sinks.letters import Wanted

    usual = Wanted()
    times = moment(given["since"], usual.since), moment(given["until"], usual.until)
    ids = tuple(each.replace(":", "-") for each in given["ids"])
    return Wanted(given["stage"], given["reason"], state, *times, ids)


def chosen(given: dict[str, Any], state: str) -> list[Letter]:
    """Return the letters that the options choose."""
    from sinks.letters import find

    async def run(_: Settings, clickhouse: ClickHouse) -> list[Letter]:
        return await find(clickhouse, wanted(state, given))

    return connected(given["state_dir"], run)


@command.command("list")
@click.option("--state", type=click.Choice(["open", "redriven", "discarded", "any"]), default="open", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@filters
def list_(*, state: str, as_json: bool, **given: Any) -> None:
    """List letters, oldest first. Exits 1 when there are none."""
    letters = chosen(given, "" if state == "any" else state)
    if as_json:
        _print_json(letters)
    else:
        _print_table(letters)
    sys.exit(0 if letters else 1)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@filters
def show(*, as_json: bool, **given: Any) -> None:
    """Show letters whole, with their exact text. Exits 1 when there are none."""
    letters = chosen(given, "")
    if as_json:
        _print_json(letters)
    else:
        for letter in letters:
            for name, value in _fields(letter).items():
                click.echo(f"{name:10}{value}")
            click.echo()
    sys.exit(0 if letters else 1)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@filters
def redrive(*, as_json: bool, **given: Any) -> None:
    """Send open letters again, each to the step that refused it; safe to repeat.

    Exits 1 when there are none, or when some were refused again: those stay open.
    """
    from cli._letters import judge
    from sinks.letters import Outcome
    from sinks.letters import redrive as send

    async def run(settings: Settings, clickhouse: ClickHouse) -> list[Outcome]:
        return await send(settings, clickhouse, wanted("open", given), judge)

    outcomes = connected(given["state_dir"], run, kafka=True)
    if as_json:
        _print_objects([{"id": each.letter.id, "redriven": each.redriven, "detail": each.detail} for each in outcomes])
    for outcome in () if as_json else outcomes:
        click.echo(f"{outcome.letter.id}  {'redriven' if outcome.redriven else f'still refused: {outcome.detail}'}")
    sys.exit(0 if outcomes and all(outcome.redriven for outcome in outcomes) else 1)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@filters
def discard(*, as_json: bool, **given: Any) -> None:
    """Mark open letters as of no use; they stay stored. Exits 1 when there are none."""
    from sinks.letters import discard as give_up

    async def run(_: Settings, clickhouse: ClickHouse) -> list[Letter]:
        return await give_up(clickhouse, wanted("open", given))

    letters = connected(given["state_dir"], run)
    if as_json:
        _print_objects([{"id": letter.id, "state": "discarded"} for letter in letters])
    else:
        click.echo(f"{len(letters)} discarded")
    sys.exit(0 if letters else 1)


def _fields(letter: Letter) -> dict[str, Any]:
    return {**letter._asdict(), "body": letter.body.decode(errors="replace")}


def _print_json(letters: list[Letter]) -> None:
    _print_objects([_fields(letter) for letter in letters])


def _print_objects(found: list[dict[str, Any]]) -> None:
    import orjson

    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _print_table(letters: list[Letter]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("id", "failed", "stage", "reason", "state", "text")
    for letter in letters:
        text = letter.body.decode(errors="replace")[:SHOWN]
        table.add_row(*map(escape, (letter.id, letter.failed_at, letter.stage, letter.reason, letter.state, text)))
    Console().print(table)
