"""Alert rules, as RULES_FILE has them."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from core.errors import ConfigError
from core.settings import parse_duration
from schemas import keys


class MessageRule(msgspec.Struct, frozen=True):
    """A message that stays in a status for too long."""

    name: str
    status: str
    after_ms: int
    followup: bool = False
    orgs: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    """Channel ids, or types such as WHATSAPP."""


class RulesFile(msgspec.Struct, frozen=True):
    """All rules."""

    message_rules: tuple[MessageRule, ...]


DEFAULT = RulesFile(
    (
        MessageRule("stuck_in_sent", "SENT", 15 * 60_000),
        MessageRule("delivered_not_read", "DELIVERED", 24 * 3_600_000, followup=True),
    )
)


def load(path: Path | None) -> RulesFile:
    """Read a rules file; without one the two built-in rules. Raises ConfigError."""
    if path is None:
        return DEFAULT
    try:
        tables = tomllib.loads(path.read_text()).get("rule", [])
        return RulesFile(tuple(_rule(table) for table in tables))
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"RULES_FILE={path}: {error}", fix="Mend the file") from error


def _rule(table: dict[str, Any]) -> MessageRule:
    after = parse_duration(table["after"])
    if not isinstance(after, timedelta):
        raise TypeError("after is a duration such as 15m")
    return MessageRule(
        table["name"],
        table["status"],
        int(after.total_seconds() * 1000),
        followup=bool(table.get("followup")),
        orgs=frozenset(map(str, table.get("orgs", ()))),
        channels=frozenset(map(str, table.get("channels", ()))),
    )


def alert_id(rule: str, org_id: str, message_id: str) -> str:
    """Return the id of a rule's one alert on a message."""
    return keys.join(rule, org_id, message_id).decode()
