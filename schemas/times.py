"""Times as Zoho writes them, to and from epoch milliseconds (UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

LATEST_MS = 9_000_000_000_000
"""2255-03-14: the last moment that ClickHouse's DateTime64(3) holds with room to spare."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)")
_CACHE_LIMIT = 50_000
_minutes: dict[str, int] = {}


def parse_iso(text: object) -> int | None:
    """Return the epoch milliseconds of an ISO 8601 time with a zone, or None when it cannot be read as one.

    Digits past the millisecond are cut off. The minute part is cached: receipts come minutes at a time.
    """
    if type(text) is not str:
        return None
    size = len(text)
    if (size == 24 or size == 20) and text[-1] == "Z":  # noqa: PLR1714, PLR2004 -- the two forms Zoho sends, on the hot path
        minute = _minutes.get(text[:16])
        rest = text[16:-1]
        if minute is not None and rest[0] == ":" and rest[1:3].isdecimal() and rest.isascii():
            second = int(rest[1:3])
            fraction = rest[4:]
            if second < 60 and (not fraction or (rest[3] == "." and fraction.isdecimal())):  # noqa: PLR2004
                return minute + second * 1000 + (int(fraction) if fraction else 0)
    return _parse_any(text)


def _parse_any(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None or not text.isascii():
        return None
    try:
        moment = datetime.fromisoformat(text[:19] + match[2])
    except ValueError:
        return None
    ms = int(moment.timestamp()) * 1000 + int(((match[1] or "") + "000")[:3])
    if not 0 <= ms <= LATEST_MS:
        return None
    # The minute of the last moment itself is not cached: the rest of it is out of range.
    if match[2] == "Z" and ms <= LATEST_MS - 60_000:
        _remember(text[:16])
    return ms


def _remember(minute: str) -> None:
    if len(_minutes) >= _CACHE_LIMIT:
        _minutes.clear()
    _minutes[minute] = int(datetime.fromisoformat(minute + ":00+00:00").timestamp()) * 1000


def parse_epoch(value: object) -> int | None:
    """Return epoch milliseconds given as text (Zoho's `eventTime`) or integer, or None when it is neither."""
    if type(value) is str:
        if not (value.isascii() and value.isdecimal() and len(value) <= 13):  # noqa: PLR2004 -- LATEST_MS has 13 digits
            return None
        value = int(value)
    if type(value) is not int or not 0 <= value <= LATEST_MS:
        return None
    return value


_iso_minutes: dict[int, str] = {}


def to_iso(ms: int) -> str:
    """Format epoch milliseconds as ISO 8601 with milliseconds and Z; the minute part is cached."""
    minute, rest = divmod(ms, 60_000)
    head = _iso_minutes.get(minute)
    if head is None:
        if len(_iso_minutes) >= _CACHE_LIMIT:
            _iso_minutes.clear()
        head = _iso_minutes[minute] = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:}"
    return f"{head}{rest // 1000:02d}.{rest % 1000:03d}Z"
