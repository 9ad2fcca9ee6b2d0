"""Alert rules, as RULES_FILE has them: on messages (`[[rule]]`) and on channels (`[[channel_rule]]`)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from core.errors import ConfigError
from core.settings import parse_duration
from schemas import keys

Table = dict[str, Any]
ChannelKind = Literal["delivery_ratio_below", "silent", "contradictions_above", "gaps_above"]
STATUSES: Final = ("SENT", "DELIVERED")
"""Those after which another ladder status is awaited."""
LONGEST_MS: Final = 30 * 86_400_000
_HOUR_MS: Final = 3_600_000
_EVERY: Final = "channel_rules_every"


class MessageRule(msgspec.Struct, frozen=True):
    """A message that stays in a status for too long."""

    name: str
    status: str
    after_ms: int
    followup: bool = False
    orgs: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    """Channel ids, or types such as WHATSAPP."""


class ChannelRule(msgspec.Struct, frozen=True):
    """A channel that does not do as it should.

    `bound` is a ratio from 0 to 1; of `delivery_ratio_below` either it or `share_of_last_week` is given.
    """

    name: str
    kind: ChannelKind
    bound: float | None = None
    share_of_last_week: float | None = None
    """Of the channel's own ratio in the week before; the ratio must not fall under this share of it."""
    window_ms: int = 24 * _HOUR_MS
    """How far the rule looks back; for `delivery_ratio_below` from the newest mature hour on."""
    min_messages: int = 50
    """With fewer than these in what it looks at, a rule says nothing."""
    after_ms: int = _HOUR_MS
    """`silent`: no shorter silence counts."""
    times: float = 2.0
    """`silent`: how many times the channel's longest silence of the last week must have passed."""
    orgs: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    """Channel ids, or types such as WHATSAPP."""


class RulesFile(msgspec.Struct, frozen=True):
    """All rules."""

    message_rules: tuple[MessageRule, ...]
    channel_rules: tuple[ChannelRule, ...] = ()
    channel_rules_every_ms: int = 300_000
    """How often the channel rules are asked."""


DEFAULT = RulesFile(
    (
        MessageRule("stuck_in_sent", "SENT", 15 * 60_000),
        MessageRule("delivered_not_read", "DELIVERED", 24 * _HOUR_MS, followup=True),
    )
)

_COMMON: Final = ("name", "orgs", "channels")
_MESSAGE_KEYS: Final = (*_COMMON, "status", "after", "followup")
_CHANNEL_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "delivery_ratio_below": (*_COMMON, "kind", "bound", "share_of_last_week", "window", "min_messages"),
    "silent": (*_COMMON, "kind", "after", "times", "min_messages"),
    "contradictions_above": (*_COMMON, "kind", "bound", "window", "min_messages"),
    "gaps_above": (*_COMMON, "kind", "bound", "window", "min_messages"),
}


class _Wrong(Exception):  # noqa: N818 -- carried to `load`, never further
    """What is wrong within a rule: its field, its value, and the fix."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        super().__init__(field)
        self.field, self.value, self.fix = field, value, fix


def load(path: Path | None) -> RulesFile:
    """Read a rules file; without one the two built-in rules. Raises ConfigError."""
    if path is None:
        return DEFAULT
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"RULES_FILE={path}: cannot be read: {reason}", fix="Name a readable TOML file") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> RulesFile:
    """Read rules from TOML; `source` names it in errors. Raises ConfigError: which rule, field, value, and the fix."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"RULES_FILE={source}: not TOML: {error}", fix="Mend the line") from error
    place = "the file"
    try:
        _only(given, ("rule", "channel_rule", _EVERY))
        names: set[str] = set()
        message_rules: list[MessageRule] = []
        channel_rules: list[ChannelRule] = []
        for number, table in enumerate(_tables(given, "rule"), 1):
            place = _place("rule", number, table)
            message_rules.append(_message_rule(table, names))
        for number, table in enumerate(_tables(given, "channel_rule"), 1):
            place = _place("channel_rule", number, table)
            channel_rules.append(_channel_rule(table, names))
        place = "the file"
        every = _duration(given, _EVERY, 300_000)
    except _Wrong as wrong:
        shown = "" if wrong.value is None else f" = {wrong.value!r}"
        raise ConfigError(f"RULES_FILE={source}: {place}: {wrong.field}{shown}: {wrong.fix}") from None
    return RulesFile(tuple(message_rules), tuple(channel_rules), every)


def _tables(given: Table, kind: str) -> list[Table]:
    tables = given.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _Wrong(kind, None, f"write each as a table under [[{kind}]], with two brackets")
    return tables


def _place(kind: str, number: int, table: Table) -> str:
    name = table.get("name")
    return f"[[{kind}]] number {number}" + (f" ({name})" if isinstance(name, str) else "")


def _message_rule(table: Table, names: set[str]) -> MessageRule:
    _only(table, _MESSAGE_KEYS)
    status = _required(table, "status", "a status, SENT or DELIVERED")
    if status not in STATUSES:
        raise _Wrong("status", status, "write SENT or DELIVERED: no status is awaited after another")
    _required(table, "after", 'a duration, such as after = "15m"')
    return MessageRule(
        _name(table, names),
        status,
        _duration(table, "after", 0),
        followup=_flag(table, "followup"),
        orgs=_texts(table, "orgs"),
        channels=_texts(table, "channels"),
    )


def _channel_rule(table: Table, names: set[str]) -> ChannelRule:
    kind = _required(table, "kind", f"one of {', '.join(_CHANNEL_KEYS)}")
    if kind not in get_args(ChannelKind):
        raise _Wrong("kind", kind, f"write one of {', '.join(_CHANNEL_KEYS)}{_meant(str(kind), _CHANNEL_KEYS)}")
    _only(table, _CHANNEL_KEYS[kind])
    bound, share = _ratio(table, "bound"), _ratio(table, "share_of_last_week")
    if kind == "delivery_ratio_below":
        if (bound is None) == (share is None):
            raise _Wrong("bound", bound, "give either bound or share_of_last_week, one of the two")
    elif kind != "silent" and bound is None:
        raise _Wrong("bound", None, "is missing: a ratio, such as bound = 0.05")
    usual = 24 * _HOUR_MS if kind == "delivery_ratio_below" else _HOUR_MS
    return ChannelRule(
        _name(table, names),
        kind,
        bound=bound,
        share_of_last_week=share,
        window_ms=_duration(table, "window", usual),
        min_messages=_count(table, "min_messages", 50),
        after_ms=_duration(table, "after", _HOUR_MS),
        times=_times(table),
        orgs=_texts(table, "orgs"),
        channels=_texts(table, "channels"),
    )


# --- fields ---------------------------------------------------------------------------------------------------------


def _only(table: Table, known: Collection[str]) -> None:
    for field in table:
        if field not in known:
            raise _Wrong(field, None, f"is no key here{_meant(field, known)}; known are {', '.join(known)}")


def _meant(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f" (do you mean {close[0]}?)" if close else ""


def _required(table: Table, field: str, what: str) -> Any:
    if field not in table:
        raise _Wrong(field, None, f"is missing: {what}")
    return table[field]


def _name(table: Table, names: set[str]) -> str:
    """Return the name, which none of `names` may have, and add it to these."""
    name = _required(table, "name", 'a name, such as name = "stuck_in_sent"')
    if not isinstance(name, str) or re.fullmatch(r"[a-z0-9_]{1,64}", name) is None:
        raise _Wrong("name", name, "write at most 64 of a-z, 0-9 and _")
    if name in names:
        raise _Wrong("name", name, "another rule has this name: give each its own")
    names.add(name)
    return name


def _duration(table: Table, field: str, default: int) -> int:
    """Return milliseconds."""
    value = table.get(field)
    if value is None:
        return default
    try:
        parsed = parse_duration(value)
    except (ValueError, OverflowError):
        parsed = None
    fix = 'write a number and a unit as text, such as "90s", "15m", "24h", at most 30d'
    if not isinstance(parsed, timedelta):
        raise _Wrong(field, value, fix)
    ms = round(parsed.total_seconds() * 1000)
    if not 0 < ms <= LONGEST_MS:
        raise _Wrong(field, value, fix)
    return ms


def _ratio(table: Table, field: str) -> float | None:
    value = table.get(field)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < 1:
        raise _Wrong(field, value, "write a ratio between 0 and 1, such as 0.9")
    return float(value)


def _times(table: Table) -> float:
    value = table.get("times", 2.0)
    if type(value) not in (int, float) or not 1 <= value <= 1000:  # noqa: PLR2004 -- a bound that nan fails too
        raise _Wrong("times", value, "write a number from 1 to 1000, such as 2")
    return float(value)


def _count(table: Table, field: str, default: int) -> int:
    value = table.get(field, default)
    if type(value) is not int or value < 1:
        raise _Wrong(field, value, "write a whole number from 1")
    return value


def _flag(table: Table, field: str) -> bool:
    value = table.get(field, False)
    if type(value) is not bool:
        raise _Wrong(field, value, "write true or false")
    return value


def _texts(table: Table, field: str) -> frozenset[str]:
    value = table.get(field, [])
    if not isinstance(value, list) or not all(type(each) in (str, int) and each != "" for each in value):
        raise _Wrong(field, value, f'write a list of ids, such as {field} = ["50007000000001"]')
    if field in table and not value:
        raise _Wrong(field, value, "names none, so the rule would never apply: leave it out for all")
    return frozenset(map(str, value))


def alert_id(rule: str, org_id: str, message_id: str) -> str:
    """Return the id of a rule's one alert on a message."""
    return keys.join(rule, org_id, message_id).decode()


def channel_alert_id(rule: str, org_id: str, channel_id: str, episode_ms: int) -> str:
    """Return the id of a rule's alert on a channel; `episode_ms` tells one time of trouble from the next."""
    return keys.join(rule, org_id, channel_id, str(episode_ms)).decode()
