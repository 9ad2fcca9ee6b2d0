"""What a notification says: alerts as data for programs, and as words for people. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from core.clock import iso
from schemas.alert_rules import ChannelRule, MessageRule, RulesFile
from schemas.records import Alert
from schemas.rule_words import condition, duration
from schemas.times import parse_iso

LISTED: Final = 25
"""Alerts named one by one in a text; the rest are counted."""
_GROUPS: Final = 10
NameOf = Callable[[str, str], str]
"""Returns what people call a channel, by org and channel id."""


class Item(NamedTuple):
    """An opening or a resolution to be told."""

    alert: Alert
    detail: str = ""
    """What was measured, where the alert is one of a channel."""

    @property
    def id(self) -> str:
        """The alert's id and state: the same however often it is told. Safe in a header; no full stop in it."""
        text = f"{self.alert.alert_id}:{self.alert.state}"
        return re.sub(r"[^A-Za-z0-9_:%-]", _percent, text)


class Notification(NamedTuple):
    """One message to a destination: one alert, or a digest of several; a trial tells of none."""

    id: str
    items: tuple[Item, ...]
    title: str
    lines: tuple[str, ...]
    """What to list below the title."""
    payload: dict[str, Any]
    """The same as data."""

    @property
    def text(self) -> str:
        """Title and lines."""
        return "\n".join((self.title, *self.lines))


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def compose(items: Sequence[Item], rules: RulesFile, name_of: NameOf, now_ms: int) -> Notification:
    """Make the notification of one alert or of several."""
    named = _by_name(rules)
    single = len(items) == 1
    # The same alerts give the same id. After a crash a digest may be cut otherwise: then the ids within tell.
    ident = items[0].id if single else "digest:" + hashlib.sha256("\n".join(i.id for i in items).encode()).hexdigest()
    told = [_words(item, named, name_of) for item in items]
    opened = sum(item.alert.state == "open" for item in items)
    state = "digest" if not single else "opened" if opened else "resolved"
    data = [_data(item, name_of, words) for item, words in zip(items, told, strict=True)]
    payload = {
        "type": f"alert.{state}",
        "timestamp": iso(now_ms),
        "data": {"opened": opened, "resolved": len(items) - opened, "alerts": data},
    }
    if single:
        return Notification(ident, tuple(items), told[0][0], told[0][1:], payload)
    return Notification(ident, tuple(items), _digest_title(items, opened), _digest_lines(items, told, name_of), payload)


def trial(destination: str, now_ms: int) -> Notification:
    """Make a message that tells of no alert, to try a destination."""
    title = "Test of Receiptstream's alerts: nothing is wrong"
    payload = {
        "type": "alert.test",
        "timestamp": iso(now_ms),
        "data": {"opened": 0, "resolved": 0, "alerts": []},
    }
    return Notification(f"test:{destination}:{now_ms}", (), title, (f"Sent to destination {destination}",), payload)


def _by_name(rules: RulesFile) -> dict[str, MessageRule | ChannelRule]:
    every: list[MessageRule | ChannelRule] = [*rules.message_rules, *rules.channel_rules]
    return {rule.name: rule for rule in every}


def _data(item: Item, name_of: NameOf, words: Sequence[str]) -> dict[str, Any]:
    alert = item.alert
    return {
        "id": item.id,
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "state": alert.state,
        "followup": alert.followup,
        "org_id": alert.org_id,
        "channel_id": alert.channel_id,
        "channel_name": name_of(alert.org_id, alert.channel_id),
        "session_id": alert.session_id,
        "message_id": alert.message_id,
        "due_time": alert.due_time,
        "opened_time": alert.opened_time,
        "resolved_time": alert.resolved_time,
        "detail": item.detail,
        "text": words[0],
    }


# --- words ----------------------------------------------------------------------------------------------------------


def _words(item: Item, rules: Mapping[str, MessageRule | ChannelRule], name_of: NameOf) -> tuple[str, ...]:
    """Return a sentence, and what else to say of the alert."""
    alert = item.alert
    rule = rules.get(alert.rule)
    place = plain(name_of(alert.org_id, alert.channel_id))
    if not alert.message_id:
        return _channel_words(item, rule, place)
    message = plain(alert.message_id)
    since = _since(alert, rule)
    if alert.state == "open":
        held = condition(rule) if isinstance(rule, MessageRule) else f"broke the rule {plain(alert.rule)}"
        sentence = f"Message {message} on {place} {held.replace('stays', 'has stayed', 1)}"
    else:
        status = f" {rule.status}" if isinstance(rule, MessageRule) else ""
        resolved = parse_iso(alert.resolved_time)
        took = "" if since is None or resolved is None else f" after {duration(resolved - since)}"
        sentence = f"Resolved: message {message} on {place} left{status or ' its status'}{took}"
    more = [f"{'Follow-up' if alert.followup else 'Alert'} of rule {plain(alert.rule)}, org {plain(alert.org_id)}"]
    if since is not None:
        more.append(f"Since {iso(since)}")
    return (sentence, *more, f"Timeline: receipts message {message}")


def _since(alert: Alert, rule: MessageRule | ChannelRule | None) -> int | None:
    """Return when the status began, epoch ms, as far as the rule is still known."""
    due = parse_iso(alert.due_time)
    return due - rule.after_ms if due is not None and isinstance(rule, MessageRule) else None


def _channel_words(item: Item, rule: MessageRule | ChannelRule | None, place: str) -> tuple[str, ...]:
    alert = item.alert
    held = condition(rule) if isinstance(rule, ChannelRule) else f"broke the rule {plain(alert.rule)}"
    if alert.state == "open":
        sentence = f"{place[:1].upper()}{place[1:]} {held}"
    else:
        opened, resolved = parse_iso(alert.opened_time), parse_iso(alert.resolved_time)
        took = "" if opened is None or resolved is None else f" after {duration(resolved - opened)}"
        sentence = f"Resolved: {place} is well again{took}"
    more = [f"Alert of rule {plain(alert.rule)}, org {plain(alert.org_id)}"]
    return (sentence, *([plain(item.detail)] if item.detail else []), *more, "What to do: receipts doctor")


def _digest_title(items: Sequence[Item], opened: int) -> str:
    parts = [f"{number} {what}" for number, what in ((opened, "opened"), (len(items) - opened, "resolved")) if number]
    return f"{len(items)} alerts: {', '.join(parts)}"


def _digest_lines(items: Sequence[Item], told: Sequence[Sequence[str]], name_of: NameOf) -> tuple[str, ...]:
    groups = Counter((item.alert.state, item.alert.rule, item.alert.org_id, item.alert.channel_id) for item in items)
    lines = [
        f"{count} {'opened' if state == 'open' else state}: {plain(rule)} on {plain(name_of(org_id, channel_id))}"
        for (state, rule, org_id, channel_id), count in groups.most_common(_GROUPS)
    ]
    if len(groups) > _GROUPS:
        lines.append(f"and {len(groups) - _GROUPS} more pairs of rule and channel")
    lines.extend(f"- {words[0]}" for words in told[:LISTED])
    if len(items) > LISTED:
        lines.append(f"and {len(items) - LISTED} more: receipts alerts list")
    else:
        lines.append("All of them: receipts alerts list")
    return tuple(lines)


def plain(text: str) -> str:
    """Return text on one line, without control or direction characters: ids come from outside."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
