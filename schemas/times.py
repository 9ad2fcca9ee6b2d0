"""Times as Zoho writes them, to and from epoch milliseconds (UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

LATEST_MS: Final = 9_000_000_000_000
"""2255-03-14: the last moment that ClickHouse's DateTime64(3) holds with room to spare."""

_HOUR: Final = r"(?:[01]\d|2[0-3])"
_ISO: Final = re.compile(rf"\d{{4}}-\d\d-\d\dT{_HOUR}:[0-5]\d:[0-5]\d(?:\.(\d+))?(Z|[+-]{_HOUR}:?[0-5]\d)", re.ASCII)
"""What Python's own reader takes beyond it differs from one Python to the next: 24:00:00, +05:99."""
_CACHE_LIMIT: Final = 50_000
_seconds: Final[dict[str, int]] = {}
"""Epoch ms of `2025-10-09T07:27:19.`: receipts come many in a second."""
_FRACTIONS: Final[dict[str, int]] = {
    f"{part:0{digits}d}Z": part * 10 ** (3 - digits) for digits in (1, 2, 3) for part in range(10**digits)
}
"""Milliseconds of `394Z`, and of `39Z`: Zoho leaves zeros away at the end."""
_SECONDS_TEXT: Final = tuple(f"{second:02d}." for second in range(60))
_MILLIS_TEXT: Final = tuple(f"{ms:03d}Z" for ms in range(1000))


def parse_iso(text: object) -> int | None:
    """Return the epoch milliseconds of an ISO 8601 time with a zone, or None when it cannot be read as one.

    Digits past the millisecond are cut off.
    """
    if not isinstance(text, str):
        return None
    # The form that Zoho sends, in a second seen before. Whatever else `text` is has no place in these tables.
    second = _seconds.get(text[:20])
    if second is not None:
        fraction = _FRACTIONS.get(text[20:])
        if fraction is not None:
            return second + fraction
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
    # The last second itself is not remembered: the rest of it is out of range.
    if match[1] and match[2] == "Z" and ms <= LATEST_MS - 1000:
        if len(_seconds) >= _CACHE_LIMIT:
            _seconds.clear()
        _seconds[text[:20]] = ms - ms % 1000
    return ms


def parse_epoch(value: object) -> int | None:
    """Return epoch milliseconds given as text (Zoho's `eventTime`) or integer, or None when it is neither."""
    if type(value) is str:
        if not (value.isascii() and value.isdecimal() and len(value) <= 13):  # noqa: PLR2004 -- LATEST_MS has 13 digits
            return None
        value = int(value)
    if type(value) is not int or not 0 <= value <= LATEST_MS:
        return None
    return value


_epoch_seconds: Final[dict[str, str]] = {}
"""`2025-10-09T07:27:19.` of `1759994839`: events come many in a second."""
_EPOCH_MILLIS: Final = {text[:3]: text for text in _MILLIS_TEXT}


def epoch_to_iso(value: object) -> str | None:
    """Format what `parse_epoch` reads as `to_iso` does; None when it cannot be read."""
    try:
        # The form that Zoho sends, in a second seen before. Whatever else `value` is has no place in these tables.
        if isinstance(value, str):
            return _epoch_seconds[value[:10]] + _EPOCH_MILLIS[value[10:]]
    except KeyError:
        pass
    moment = parse_epoch(value)
    if moment is None:
        return None
    text = to_iso(moment)
    if type(value) is str and len(value) == 13:  # noqa: PLR2004 -- ten digits of seconds, three of milliseconds
        if len(_epoch_seconds) >= _CACHE_LIMIT:
            _epoch_seconds.clear()
        _epoch_seconds[value[:10]] = text[:20]
    return text


_iso_minutes: Final[dict[int, str]] = {}


def to_iso(ms: int) -> str:
    """Format epoch milliseconds as ISO 8601 with milliseconds and Z; the minute part is cached."""
    seconds, millis = divmod(ms, 1000)
    minute, second = divmod(seconds, 60)
    try:
        return _iso_minutes[minute] + _SECONDS_TEXT[second] + _MILLIS_TEXT[millis]
    except KeyError:
        if len(_iso_minutes) >= _CACHE_LIMIT:
            _iso_minutes.clear()
        _iso_minutes[minute] = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:}"
        return to_iso(ms)
