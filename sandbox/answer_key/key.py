"""The answer key: every table as it must be, from raw records or from what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sandbox.answer_key import alerts, rates, windows
from sandbox.answer_key.ladder import Message, Receipt, follow
from sandbox.answer_key.reading import Added, Told, Unusable, read
from sandbox.answer_key.records import RawRecord, distinct, of_bodies
from sandbox.answer_key.rows import Row, Tables, iso

RETENTION_MS = 48 * windows.HOUR_MS
NEEDS_ARRIVAL = frozenset({"received_time", "raw_partition", "raw_offset"})
"""Columns that only a record read back from Kafka can tell."""


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What must be true: rows by table, and the ledger's totals."""

    tables: Tables
    ledger: dict[str, int]
    """`raw` = `applied` + `duplicate` + `parked` + `other`."""
    messages: dict[tuple[str, str], Message] = field(repr=False)
    """Every message by org and id."""
    abilities: alerts.Abilities = field(repr=False)
    """What each partition knows of its channels."""

    def alerts(
        self, until_ms: int, rules: Iterable[alerts.Rule] = alerts.DEFAULT_RULES, *, early: bool = False
    ) -> list[Row]:
        """Return every alert that there must be at a moment."""
        return alerts.rows(self.messages, self.abilities, rules, until_ms, early=early)


def answer(records: Iterable[RawRecord], *, retention_ms: int = RETENTION_MS, now_ms: int | None = None) -> AnswerKey:
    """Answer exactly, from records as they stand in Kafka. With `now_ms`, `channel_rates` says what is mature."""
    known = distinct(records)
    receipts: list[Receipt] = []
    added: dict[tuple[str, str], Added] = {}
    types: dict[tuple[str, str], str] = {}
    abilities = alerts.Abilities()
    parked = 0
    for record in known:
        element = read(record.value)
        if isinstance(element, Told):
            receipts.append(_timed(record, element))
        elif isinstance(element, Added):
            added.setdefault((element.org_id, element.message_id), element)
            if element.channel_id and element.channel_type:
                types.setdefault((element.org_id, element.channel_id), element.channel_type)
                abilities.learn_type(record, element.org_id, element.channel_id, element.channel_type)
        parked += isinstance(element, Unusable)
    messages = follow(receipts)
    for accepted in sorted(
        (each.receipt for message in messages.values() for each in message.accepted.values()),
        key=lambda receipt: receipt.raw.offset,
    ):
        abilities.learn_status(accepted)
    applied = sum(len(message.accepted) for message in messages.values())
    return AnswerKey(
        tables={
            "raw_events": [_raw(record) for record in known],
            "transitions": _transitions(messages),
            "message_state": _states(messages, added),
            "channel_windows": windows.rows(windows.count(messages.values(), retention_ms)),
            "channel_rates": rates.rows(messages, types, now_ms),
        },
        ledger={
            "raw": len(known),
            "applied": applied,
            "duplicate": len(receipts) - applied,
            "parked": parked,
            "other": len(known) - len(receipts) - parked,
        },
        messages=messages,
        abilities=abilities,
    )


def answer_of_bodies(
    bodies: Sequence[bytes], sent_ms: int, *, retention_ms: int = RETENTION_MS, now_ms: int | None = None
) -> AnswerKey:
    """Answer from elements in the order they were sent, a message's own order being that of its partition.

    `sent_ms` is roughly when they were received, near enough to tell what is late. What only the arrival can tell
    is left out; late records are counted per channel in the table `late`, not per minute.
    """
    exact = answer(of_bodies(bodies, sent_ms), retention_ms=retention_ms, now_ms=now_ms)
    return AnswerKey(without_arrival(exact.tables), exact.ledger, exact.messages, exact.abilities)


def without_arrival(tables: Tables) -> Tables:
    """Leave out what depends on the moment and place of arrival, so that both ways in can be compared."""
    told = [row for row in tables.get("transitions", []) if row["time_source"] != "received"]
    counted = tables.get("channel_windows", [])
    return {
        "transitions": [_without(row, NEEDS_ARRIVAL) for row in told],
        "message_state": tables.get("message_state", []),
        "channel_windows": [_without(row, {"late"}) for row in counted if _counts_more_than_late(row)],
        "channel_rates": tables.get("channel_rates", []),
        "late": _late(counted),
    }


def _counts_more_than_late(row: Row) -> bool:
    names = {*windows.COUNTS, "negative_latencies"} - {"late"}
    quantiles = [name for name in row if name.endswith("_p50_ms")]
    return any(row[name] for name in names) or any(row[name] is not None for name in quantiles)


def _late(rows: list[Row]) -> list[Row]:
    totals: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["late"]:
            channel = (str(row["org_id"]), str(row["channel_id"]))
            totals[channel] = totals.get(channel, 0) + int(row["late"])
    return [{"org_id": org, "channel_id": channel, "late": late} for (org, channel), late in sorted(totals.items())]


def _without(row: Row, names: Iterable[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _timed(record: RawRecord, told: Told) -> Receipt:
    for time_ms, source in ((told.updated_ms, "updated"), (told.event_ms, "event")):
        if time_ms is not None:
            return Receipt(record, told, time_ms, source)
    return Receipt(record, told, record.received_ms, "received")


def _raw(record: RawRecord) -> Row:
    return {
        "raw_partition": record.partition,
        "raw_offset": record.offset,
        "received_time": iso(record.received_ms),
        "body": record.value.decode(errors="replace"),
    }


def _transitions(messages: dict[tuple[str, str], Message]) -> list[Row]:
    return [
        {
            "org_id": accepted.receipt.told.org_id,
            "channel_id": accepted.receipt.told.channel_id,
            "session_id": accepted.receipt.told.session_id,
            "message_id": accepted.receipt.told.message_id,
            "old_status": accepted.receipt.told.old_status,
            "new_status": accepted.receipt.told.new_status,
            "updated_time": iso(accepted.receipt.time_ms),
            "event_time": iso(accepted.receipt.told.event_ms),
            "received_time": iso(accepted.receipt.raw.received_ms),
            "time_source": accepted.receipt.time_source,
            "implied": accepted.implied,
            "out_of_order": accepted.out_of_order,
            "contradiction": accepted.contradiction,
            "sent_to_delivered_ms": accepted.sent_to_delivered_ms,
            "delivered_to_read_ms": accepted.delivered_to_read_ms,
            "raw_partition": accepted.receipt.raw.partition,
            "raw_offset": accepted.receipt.raw.offset,
        }
        for message in messages.values()
        for accepted in message.accepted.values()
    ]


def _states(messages: dict[tuple[str, str], Message], added: dict[tuple[str, str], Added]) -> list[Row]:
    return [
        {
            "org_id": org,
            "message_id": message_id,
            "channel_id": message.first.told.channel_id,
            "session_id": message.first.told.session_id,
            "status": message.status,
            "sent_time": iso(message.time_of("SENT")),
            "delivered_time": iso(message.time_of("DELIVERED")),
            "read_time": iso(message.time_of("READ")),
            "delivered_implied": "READ" in message.accepted and "DELIVERED" not in message.accepted,
            "channel_type": added[org, message_id].channel_type if (org, message_id) in added else "",
            "direction": added[org, message_id].direction if (org, message_id) in added else "",
        }
        for (org, message_id), message in messages.items()
    ]
