"""Which alerts there must be: every rule on every message, by the contract's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.answer_key.ladder import Message, Receipt
from sandbox.answer_key.reading import LADDER
from sandbox.answer_key.rows import Row, iso
from sandbox.answer_key.windows import HOUR_MS

REPORTS = {
    "WHATSAPP": {"SENT", "DELIVERED", "READ"},
    "FACEBOOKMESSENGER": {"SENT", "DELIVERED", "READ"},
    "INSTAGRAM": {"SENT", "READ"},
}
Channel = tuple[str, str]


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
    messages: Mapping[tuple[str, str], Message], types: Mapping[Channel, str], rules: Iterable[Rule], until_ms: int
) -> list[Row]:
    """Return every alert that has been opened, resolved or found expired by `until_ms`."""
    told = {
        (org, accepted.receipt.told.channel_id, status)
        for (org, _), message in messages.items()
        for status, accepted in message.accepted.items()
    }
    known = list(rules)
    found = (
        _row(org, message_id, message, rule, until_ms)
        for (org, message_id), message in messages.items()
        for rule in known
        if _can_tell(org, message, rule, types, told)
    )
    return [row for row in found if row is not None]


def _can_tell(
    org: str, message: Message, rule: Rule, types: Mapping[Channel, str], told: set[tuple[str, str, str]]
) -> bool:
    """Tell whether the channel reports the status that would come next."""
    if rule.status not in message.accepted:
        return False
    channel = message.accepted[rule.status].receipt.told.channel_id
    following = LADDER[LADDER.index(rule.status) + 1]
    reports = REPORTS.get(types.get((org, channel), "").upper())
    return following in reports if reports is not None else (org, channel, following) in told


def _row(org: str, message_id: str, message: Message, rule: Rule, until_ms: int) -> Row | None:
    own = message.accepted[rule.status].receipt
    higher = [
        message.accepted[status].receipt
        for status in LADDER[LADDER.index(rule.status) + 1 :]
        if status in message.accepted
    ]
    following = min(higher, key=lambda receipt: receipt.raw.offset, default=None)
    if following is not None and following.raw.offset < own.raw.offset:
        return None
    due = own.time_ms + rule.after_ms
    opened = max(due, own.raw.received_ms)
    if own.raw.received_ms > due + HOUR_MS:
        return _of(org, message_id, rule, own, {"state": "expired", "due_time": iso(due)})
    times: Row = {"due_time": iso(due), "opened_time": iso(opened)}
    if following is None:
        return _of(org, message_id, rule, own, {"state": "open", **times}) if opened <= until_ms else None
    if following.raw.received_ms < opened:
        return None
    resolved: Row = {"state": "resolved", **times, "resolved_time": iso(following.time_ms)}
    return _of(org, message_id, rule, following, resolved)


def _of(org: str, message_id: str, rule: Rule, told: Receipt, own: Row) -> Row:
    return {
        "rule": rule.name,
        "followup": rule.followup,
        "org_id": org,
        "channel_id": told.told.channel_id,
        "session_id": told.told.session_id,
        "message_id": message_id,
        "opened_time": None,
        "resolved_time": None,
        **own,
    }
