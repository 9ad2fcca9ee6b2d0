"""Rows as the contract writes them in JSON: ids text, times ISO 8601 with milliseconds and Z, absent values null."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

Value = str | int | float | bool | None
Row = dict[str, Value]
Tables = dict[str, list[Row]]

IDENTITY: dict[str, tuple[str, ...]] = {
    "raw_events": ("raw_partition", "raw_offset"),
    "transitions": ("org_id", "message_id", "new_status"),
    "message_state": ("org_id", "message_id"),
    "channel_windows": ("org_id", "channel_id", "window_start"),
    "channel_rates": ("org_id", "channel_id", "hour"),
    "alerts": ("rule", "org_id", "message_id"),
    "late": ("org_id", "channel_id"),
}
"""What makes a row of each table unique."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def iso(ms: int) -> str: ...
@overload
def iso(ms: int | None) -> str | None: ...
def iso(ms: int | None) -> str | None:
    """Format epoch milliseconds; None stays None."""
    if ms is None:
        return None
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
