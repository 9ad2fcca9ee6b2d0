"""Which alerts there must be: every rule on every message, by the contract's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sandbox.answer_key.ladder import Message, Receipt
from sandbox.answer_key.reading import LADDER
from sandbox.answer_key.records import RawRecord
from sandbox.answer_key.rows import Row, iso
from sandbox.answer_key.windows import HOUR_MS

REPORTS = {
    "WHATSAPP": {"SENT", "DELIVERED", "READ"},
    "FACEBOOKMESSENGER": {"SENT", "DELIVERED", "READ"},
    "INSTAGRAM": {"SENT", "READ"},
}
ALWAYS = 1 << 62
"""An offset after every other."""


@dataclass(slots=True)
class Abilities:
    """From which offset on a partition knows what a channel can report."""

    types: dict[tuple[int, str, str], tuple[int, str]] = field(default_factory=dict)
    """By partition, org and channel: the first offset that told its type, and the type."""
    told: dict[tuple[int, str, str, str], int] = field(default_factory=dict)
    """By partition, org, channel and status: the first offset that told it."""

    def learn_type(self, record: RawRecord, org: str, channel: str, type_: str) -> None:
        """Take what an IM_Message_Add tells."""
        self.types.setdefault((record.partition, org, channel), (record.offset, type_.upper()))

    def learn_status(self, receipt: Receipt) -> None:
        """Take what a status that applied tells."""
        told, raw = receipt.told, receipt.raw
        self.told.setdefault((raw.partition, told.org_id, told.channel_id, told.new_status), raw.offset)

    def can_report(self, receipt: Receipt, status: str, offset: int) -> bool:
        """Tell whether a receipt's channel can report a status, as far as its partition knows at an offset."""
        place = (receipt.raw.partition, receipt.told.org_id, receipt.told.channel_id)
        known, type_ = self.types.get(place, (ALWAYS, ""))
        if known <= offset and type_ in REPORTS:
            return status in REPORTS[type_]
        return self.told.get((*place, status), ALWAYS) <= offset


@dataclass(frozen=True, slots=True)
class Rule:
    """A message rule. Times are milliseconds."""

    name: str
    status: str
    after_ms: int
    followup: bool = False


DEFAULT_RULES = (
    Rule("stuck_in_sent", "SENT", 15 * 60_000),
    Rule("delivered_not_read", "DELIVERED", 24 * HOUR_MS, followup=True),
)


def rows(
    messages: Mapping[tuple[str, str], Message],
    abilities: Abilities,
    rules: Iterable[Rule],
    until_ms: int,
    *,
    early: bool = False,
) -> list[Row]:
    """Return every alert that has been opened, resolved or found expired by `until_ms`.

    With `early` also those that only the records' times speak against: whose resolving record had been received before
    it opened. Where that record waited in a spool, or a clock was ahead, the alert may have opened before it came.
    """
    known = list(rules)
    found = (
        _row(message_id, message, rule, abilities, until_ms, early=early)
        for (_, message_id), message in messages.items()
        for rule in known
        if rule.status in message.accepted
    )
    return [row for row in found if row is not None]


def _row(
    message_id: str, message: Message, rule: Rule, abilities: Abilities, until_ms: int, *, early: bool
) -> Row | None:
    own = message.accepted[rule.status].receipt
    above = LADDER[LADDER.index(rule.status) + 1 :]
    higher = [message.accepted[status].receipt for status in above if status in message.accepted]
    following = min(higher, key=lambda receipt: receipt.raw.offset, default=None)
    if following is not None and following.raw.offset < own.raw.offset:
        return None
    due = own.time_ms + rule.after_ms
    opened = max(due, own.raw.received_ms)
    if own.raw.received_ms > due + HOUR_MS:
        times: Row = {"state": "expired", "due_time": iso(due)}
        decided = own
    elif following is None:
        times = {"state": "open", "due_time": iso(due), "opened_time": iso(opened)}
        decided = own
    else:
        times = {"state": "resolved", "due_time": iso(due), "opened_time": iso(opened)}
        times["resolved_time"] = iso(following.time_ms)
        decided = following
    # What is found expired is so at once, also by the time of an ingress whose clock is ahead.
    too_early = times["state"] == "open" and opened > until_ms
    in_time = following is not None and times["state"] == "resolved" and following.raw.received_ms < opened
    if too_early or (in_time and not early) or not abilities.can_report(decided, above[0], own.raw.offset):
        return None
    return _of(message_id, rule, decided, times)


def _of(message_id: str, rule: Rule, told: Receipt, own: Row) -> Row:
    return {
        "rule": rule.name,
        "followup": rule.followup,
        "org_id": told.told.org_id,
        "channel_id": told.told.channel_id,
        "session_id": told.told.session_id,
        "message_id": message_id,
        "opened_time": None,
        "resolved_time": None,
        **own,
    }
