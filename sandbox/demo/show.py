"""What a user wants to see, as tables on a terminal."""

from __future__ import annotations

from importlib import resources

from rich.console import Console
from rich.table import Table

from sandbox.answer_key import describe
from sandbox.answer_key.rows import Row, Value
from sandbox.demo.actual import Warehouse
from sandbox.demo.verify import Verdict

_NOT_REPORTED = "not reported"


async def tables(console: Console, warehouse: Warehouse) -> None:
    """Print rates and time to read per channel, stuck messages, and one message's journey."""
    console.print(_channels(await warehouse.rows(_sql("channels"))))
    console.print(_stuck(await warehouse.rows(_sql("stuck"))))
    console.print(_journey(await warehouse.rows(_sql("journey"))))


def verdict(console: Console, found: Verdict) -> None:
    """Print the comparison with the answer key."""
    ledger = found.key.ledger
    console.print(
        f"ledger: {ledger['raw']:,} raw = {ledger['applied']:,} applied + {ledger['duplicate']:,} duplicate "
        f"+ {ledger['parked']:,} parked + {ledger['other']:,} other",
        highlight=False,
    )
    for name, differences in (("records in Kafka", found.exact), ("webhooks sent", found.sent)):
        if differences:
            console.print(f"[red]answer key of the {name}:[/] {describe(differences)}", highlight=False)
        else:
            console.print(f"[green]answer key of the {name}: equal[/] ({found.rows:,} rows)", highlight=False)


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text()


def _channels(rows: list[Row]) -> Table:
    table = Table(title="Delivery and reading per channel", title_justify="left")
    for name in ("org", "channel", "type"):
        table.add_column(name)
    for name in ("messages", "delivered", "read", "time to read p50", "p95"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["org_id"]),
            str(row["channel_id"]),
            str(row["channel_type"]),
            f"{row['sent']:,}",
            _share(row["delivery_ratio"]),
            _share(row["read_ratio"]),
            _duration(row["read_p50_ms"]),
            _duration(row["read_p95_ms"]),
        )
    return table


def _stuck(rows: list[Row]) -> Table:
    total = rows[0]["total"] if rows else 0
    table = Table(title=f"Stuck in SENT for more than 15 minutes: {total:,}, the latest", title_justify="left")
    for name in ("org", "message", "type", "sent"):
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("org_id", "message_id", "channel_type", "sent_time")))
    return table


def _journey(rows: list[Row]) -> Table:
    who = f"message {rows[0]['message_id']} of org {rows[0]['org_id']}" if rows else "no message"
    table = Table(title=f"The journey of {who}", title_justify="left")
    for name in ("from", "to", "when", "after", "remarks"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            str(row["old_status"] or "-"), str(row["new_status"]), str(row["updated_time"]), _after(row), _remarks(row)
        )
    return table


def _after(row: Row) -> str:
    parts = {"sent to delivered": row["sent_to_delivered_ms"], "delivered to read": row["delivered_to_read_ms"]}
    return ", ".join(f"{name} {_duration(value)}" for name, value in parts.items() if value is not None)


def _remarks(row: Row) -> str:
    remarks = [f"{row['implied']} lower not yet told"] if row["implied"] else []
    remarks += ["told out of order"] * bool(row["out_of_order"])
    remarks += ["contradicts what was known"] * bool(row["contradiction"])
    return ", ".join(remarks)


def _share(value: Value) -> str:
    return f"{100 * float(value):.1f} %" if value is not None else _NOT_REPORTED


def _duration(value: Value) -> str:
    """Format milliseconds as a person would say them."""
    if value is None:
        return "-"
    seconds = float(value) / 1000
    if abs(seconds) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
