"""What a user wants to see, as tables on a terminal."""

from __future__ import annotations

from importlib import resources

from rich import box
from rich.console import Console
from rich.table import Table

from sandbox.answer_key import describe
from sandbox.answer_key.rows import Row, Value
from sandbox.demo.actual import Warehouse
from sandbox.demo.verify import Verdict

_NOT_REPORTED = "-"
_WIDE = 100


async def tables(console: Console, warehouse: Warehouse) -> None:
    """Print rates and time to read per channel, stuck messages, and one message's journey."""
    console.print(_channels(await warehouse.rows(_sql("channels")), wide=console.width >= _WIDE))
    console.print(_stuck(await warehouse.rows(_sql("stuck"))))
    console.print(_journey(await warehouse.rows(_sql("journey"))))


def verdict(console: Console, found: Verdict) -> None:
    """Print the comparison with the answer key."""
    ledger = found.key.ledger
    console.print(
        f"ledger: {ledger['raw']:,} raw = {ledger['applied']:,} applied + {ledger['duplicate']:,} duplicate "
        f"+ {ledger['parked']:,} parked + {ledger['other']:,} other",
        highlight=False,
        soft_wrap=True,
    )
    for name, differences in (("records in Kafka", found.exact), ("webhooks sent", found.sent)):
        if differences:
            console.print(f"[red]answer key of the {name}:[/] {describe(differences)}", highlight=False, soft_wrap=True)
        else:
            console.print(
                f"[green]answer key of the {name}: equal[/] ({found.rows:,} rows)", highlight=False, soft_wrap=True
            )


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text()


def _channels(rows: list[Row], *, wide: bool) -> Table:
    table = _table("Delivery and reading per channel (-: that type does not report it)")
    for name in ("org", *(["channel"] if wide else []), "type"):
        table.add_column(name, no_wrap=True)
    for name in ("messages", "delivered", "read", "read in", "95 % in"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row["org_id"]),
            *([str(row["channel_id"])] if wide else []),
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
    table = _table(f"Stuck in SENT for more than 15 minutes: {total:,}, the latest first")
    for name in ("org", "message", "type", "since"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in ("org_id", "message_id", "channel_type", "since")))
    return table


def _journey(rows: list[Row]) -> Table:
    who = f"message {rows[0]['message_id']} of org {rows[0]['org_id']}" if rows else "no message"
    table = _table(f"The journey of {who}, in the order told")
    for name in ("from", "to", "when", "latency", "remarks"):
        table.add_column(name, no_wrap=name != "remarks")
    for row in rows:
        when = str(row["updated_time"]).partition("T")[2]
        table.add_row(str(row["old_status"] or "-"), str(row["new_status"]), when, _latency(row), _remarks(row))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _latency(row: Row) -> str:
    parts = {"delivered": row["sent_to_delivered_ms"], "read": row["delivered_to_read_ms"]}
    return ", ".join(f"{name} after {_duration(value)}" for name, value in parts.items() if value is not None)


def _remarks(row: Row) -> str:
    remarks = [f"{row['implied']} implied"] if row["implied"] else []
    remarks += ["out of order"] * bool(row["out_of_order"])
    remarks += ["contradicts what was known"] * bool(row["contradiction"])
    return ", ".join(remarks)


def _share(value: Value) -> str:
    return f"{100 * float(value):.1f} %" if value is not None else _NOT_REPORTED


def _duration(value: Value) -> str:
    """Format milliseconds as a person would say them."""
    if value is None:
        return _NOT_REPORTED
    seconds = float(value) / 1000
    if abs(seconds) < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s"
