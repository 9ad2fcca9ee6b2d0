"""What a caller may ask for, read from the URL's query. Pure; raises BadQueryError."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from dashboard.problems import BadQueryError
from schemas.times import parse_iso

HOUR_MS: Final = 3_600_000
RANGES: Final = {
    "1h": HOUR_MS,
    "6h": 6 * HOUR_MS,
    "24h": 24 * HOUR_MS,
    "7d": 168 * HOUR_MS,
    "30d": 720 * HOUR_MS,
    "90d": 2160 * HOUR_MS,
}
SHORT_MS: Final = 7 * 24 * HOUR_MS
DEFAULT_RANGE: Final = "24h"
EVER: Final = "all"
"""The range of all there is, for lists that may be asked for it."""
LONGEST_ID: Final = 64
LONGEST_RANGE_MS: Final = 400 * 24 * HOUR_MS
PAGE: Final = 100
MOST_ROWS: Final = 1000
MOST_CSV_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Period:
    """From (included) to (excluded), epoch milliseconds; `name` is the range as asked, '' for two given times."""

    from_ms: int
    to_ms: int
    name: str

    @property
    def key(self) -> str:
        """What two requests for the same period share."""
        return self.name or f"{self.from_ms}-{self.to_ms}"

    @property
    def short(self) -> bool:
        """Whether to look up its own messages is less work than a walk over all: of a month's, those of a week."""
        return self.to_ms - self.from_ms <= SHORT_MS


def period(query: Mapping[str, str], now_ms: int, *, ever: bool = False) -> Period:
    """Read `range`, or `from` and `to` (ISO 8601). A range is so many full hours and the present one.

    `ever`: it may be all there is.
    """
    if "from" in query or "to" in query:
        start, end = _time(query, "from", now_ms - RANGES[DEFAULT_RANGE]), _time(query, "to", now_ms)
        if not start < end <= start + LONGEST_RANGE_MS:
            raise BadQueryError("from must lie before to, and at most 400 days", fix="Give another from or to")
        return Period(start, end, "")
    name = query.get("range", DEFAULT_RANGE)
    end = now_ms - now_ms % HOUR_MS + HOUR_MS
    if ever and name == EVER:
        return Period(0, end, name)
    if name not in RANGES:
        told = ", ".join((*RANGES, EVER) if ever else RANGES)
        raise BadQueryError(f"range={name!r} is none", fix=f"Choose one of {told}, or give from and to")
    return Period(end - HOUR_MS - RANGES[name], end, name)


def _time(query: Mapping[str, str], name: str, default: int) -> int:
    if name not in query:
        return default
    found = parse_iso(query[name])
    if found is None:
        raise BadQueryError(f"{name}={query[name]!r} is no time", fix="Write it as 2026-01-31T12:00:00Z")
    return found


def zone(query: Mapping[str, str]) -> str:
    """Read `tz`, an IANA name; UTC when it is not given."""
    name = query.get("tz", "UTC")
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise BadQueryError(f"tz={name!r} is no time zone", fix="Give an IANA name such as Europe/Berlin") from None


def text(query: Mapping[str, str], name: str) -> str:
    """Read an id or a name; '' when it is not given."""
    value = query.get(name, "")
    if len(value) > LONGEST_ID:
        raise BadQueryError(f"{name} is longer than {LONGEST_ID} characters", fix="Check the id")
    return value


def needed(query: Mapping[str, str], name: str) -> str:
    """Read an id that must be there."""
    value = text(query, name)
    if not value:
        raise BadQueryError(f"{name} is missing", fix=f"Add ?{name}=…")
    return value


def choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Read one of several words; the first when it is not given."""
    value = query.get(name, choices[0])
    if value not in choices:
        told = ", ".join(repr(each) for each in choices)
        raise BadQueryError(f"{name}={value!r} is none", fix=f"Choose one of {told}")
    return value


def limit(query: Mapping[str, str], most: int = MOST_ROWS) -> int:
    """Read how many rows one answer has at most."""
    value = query.get("limit", str(PAGE))
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and 1 <= int(value) <= most):  # noqa: PLR2004
        raise BadQueryError(f"limit={value!r} is none", fix=f"Give a number from 1 to {most}")
    return int(value)


def cursor(query: Mapping[str, str], length: int) -> list[str]:
    """Read where the page before ended: the values of its last row's order, all '' at the beginning."""
    value = query.get("cursor", "")
    if not value:
        return [""] * length
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)), type=list[str])
    except (ValueError, binascii.Error):
        found = []
    if len(found) != length:
        raise BadQueryError("cursor is none of ours", fix="Take next_cursor of the page before, unchanged")
    return found


def write_cursor(values: list[str]) -> str:
    """Return a cursor that `cursor` reads."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")
