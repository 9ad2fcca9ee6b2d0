"""`receipts message`: what became of one message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli._settings import connected, state_dir_option

if TYPE_CHECKING:
    from rich.console import Console

    from core.clickhouse import ClickHouse
    from core.settings import Settings
    from sinks.timeline import Timeline


@click.command()
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with one object an org.")
@state_dir_option
def command(message_id: str, as_json: bool, state_dir: Path | None) -> None:  # noqa: FBT001 -- click passes flags by name
    """Show a message's timeline: every status with its clocks, what was implied, contradicted or missing, alerts.

    Exits 1 when no message has this id.
    """
    import orjson
    from rich.console import Console

    from core.errors import NotFoundError
    from sinks.timeline import timelines

    async def find(_: Settings, clickhouse: ClickHouse) -> list[Timeline]:
        return await timelines(clickhouse, message_id)

    found = connected(state_dir, find)
    if not found:
        raise NotFoundError(
            f"no message {message_id} is known", fix="Check the id; a message appears when its first status is told"
        )
    if as_json:
        click.echo(orjson.dumps([timeline._asdict() for timeline in found], option=orjson.OPT_INDENT_2).decode())
        return
    for timeline in found:
        render(timeline, Console())


def render(timeline: Timeline, console: Console) -> None:
    """Print a timeline as a table, with a line for whatever is missing or alerted."""
    from rich.table import Table

    state = timeline.state
    table = Table(
        show_lines=True,
        title=f"message {state['message_id']}: {state['status']}",
        caption=f"org {state['org_id']}, channel {state['channel_id']} ({state['channel_type'] or 'UNKNOWN'}), "
        f"session {state['session_id']}",
    )
    for column in ("status", "from", "clocks", "notes"):
        table.add_column(column, no_wrap=column != "notes")
    for row in timeline.statuses:
        notes = [*_latencies(row), *marks(row)]
        table.add_row(row["new_status"], row["old_status"] or "-", _clocks(row), "\n".join(notes) or "-")
    console.print(table)
    for status in timeline.missing:
        console.print(f"  {status} was never told: its webhook is missing, or the channel does not report it")
    for alert in timeline.alerts:
        console.print(f"  alert {alert['rule']}: {alert['state']}, due {alert['due_time']}")


def _clocks(row: dict[str, Any]) -> str:
    clocks = (("changed", row["updated_time"]), ("event", row["event_time"]), ("heard", row["received_time"]))
    return "\n".join(f"{name:8}{time}" for name, time in clocks if time is not None)


def _latencies(row: dict[str, Any]) -> list[str]:
    told = (("delivered", row["sent_to_delivered_ms"]), ("read", row["delivered_to_read_ms"]))
    return [f"{name} after {int(value) / 1000:g} s" for name, value in told if value is not None]


def marks(row: dict[str, Any]) -> list[str]:
    """Return in words what is marked on a status."""
    found = []
    if row["implied"]:
        found.append(f"{row['implied']} lower status{'es' if row['implied'] > 1 else ''} not told before")
    if row["out_of_order"]:
        found.append("out of order")
    if row["contradiction"]:
        found.append("contradicts its old status")
    if row["time_source"] != "updated":
        found.append(f"time taken from {row['time_source']}")
    return found
