"""How long each table keeps its rows: from the settings to `ALTER TABLE … MODIFY TTL`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from core.settings import Settings


class Keeping(NamedTuple):
    """Rows of `table` go when `column` is older than the setting; those that `only` does not name stay."""

    table: str
    column: str
    setting: str
    only: str = ""


KEEPING: Final = (
    Keeping("raw_events_log", "received_time", "ttl_raw_events"),
    Keeping("transitions_log", "received_time", "ttl_transitions"),
    Keeping("message_state_log", "last_received", "ttl_transitions"),
    Keeping("channel_windows_log", "window_start", "ttl_channel_windows"),
    Keeping("alerts_log", "due_time", "ttl_alerts"),
    # What nobody has decided on stays.
    Keeping("dead_letters_log", "failed_at", "ttl_dead_letters", "state != 'open'"),
)
_TTL = re.compile(r"\bTTL (.+?)(?: SETTINGS\b|$)", re.DOTALL)


def changes(settings: Settings, created: Mapping[str, str]) -> dict[str, str]:
    """Return, by table, what follows `ALTER TABLE name` where the time to live is not what the settings say.

    `created` has each table's CREATE statement as ClickHouse tells it.
    """
    found: dict[str, str] = {}
    for each in KEEPING:
        if each.table not in created:
            continue
        match = _TTL.search(" ".join(created[each.table].split()))
        now, wanted = match[1] if match else "", clause(each, getattr(settings, each.setting))
        if now != wanted:
            found[each.table] = f"MODIFY TTL {wanted}" if wanted else "REMOVE TTL"
    return found


def clause(keeping: Keeping, keep: timedelta | None) -> str:
    """Return a TTL as ClickHouse itself writes it; '' for one that keeps everything."""
    if keep is None:
        return ""
    only = f" WHERE {keeping.only}" if keeping.only else ""
    return f"toDateTime({keeping.column}) + toIntervalSecond({int(keep.total_seconds())}){only}"
