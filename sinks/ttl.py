"""How long each table keeps its rows: from the settings to `ALTER TABLE … MODIFY TTL` or `DELETE`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from core.settings import Settings


class Keeping(NamedTuple):
    """Rows of `table` go when `column` is older than the setting."""

    table: str
    column: str
    setting: str


KEEPING: Final = (
    Keeping("raw_events_log", "received_time", "ttl_raw_events"),
    Keeping("transitions_log", "received_time", "ttl_transitions"),
    Keeping("message_state_log", "last_received", "ttl_transitions"),
    Keeping("channel_windows_log", "window_start", "ttl_channel_windows"),
    Keeping("alerts_log", "due_time", "ttl_alerts"),
)
LETTERS: Final = "dead_letters_log"
"""A time to live works on each row alone: the row that closed a letter would go, and leave it open. See OLD_LETTERS."""
OLD_LETTERS: Final = """
SELECT arrayJoin(groupArray((dead_partition, dead_offset))) AS place
FROM dead_letters_log FINAL
GROUP BY stage, reason, detail, topic, partition, offset, if(offset < 0, (dead_partition, dead_offset), (0, 0))
HAVING argMin(state, (dead_partition, dead_offset)) != 'open'
    AND argMin(changed_time, (dead_partition, dead_offset)) < now64(3) - toIntervalSecond({seconds:UInt64})
"""
"""The letters that were redriven or discarded so long ago, and those that the view `dead_letters` hides behind them."""
_AT_ONCE: Final = 5000
"""Letters named in one statement: ClickHouse reads no statement of any length."""
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
    # Earlier releases gave it one.
    if _TTL.search(" ".join(created.get(LETTERS, "").split())):
        found[LETTERS] = "REMOVE TTL"
    return found


def deletions(places: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield what follows `ALTER TABLE dead_letters_log` to delete every row of the letters at these places."""
    for first in range(0, len(places), _AT_ONCE):
        yield f"DELETE WHERE (dead_partition, dead_offset) IN ({', '.join(map(str, places[first : first + _AT_ONCE]))})"


def clause(keeping: Keeping, keep: timedelta | None) -> str:
    """Return a TTL as ClickHouse itself writes it; '' for one that keeps everything."""
    if keep is None:
        return ""
    return f"toDateTime({keeping.column}) + toIntervalSecond({int(keep.total_seconds())})"
