"""The ledger: what became of every record."""

from __future__ import annotations

import msgspec


class Fates(msgspec.Struct, frozen=True):
    """Raw records and what became of them: raw = applied + duplicate + parked + other."""

    raw: int
    applied: int
    """Told a status that was new."""
    duplicate: int
    """Told a status that was known."""
    parked: int
    """The processor could not use them: dead letters."""
    other: int
    """Events that tell no status."""
    adds_up: bool


class Entry(Fates, frozen=True):
    """A row of `ledger`: what was received of a channel ('' for events without one) in one hour."""

    org_id: str
    channel_id: str
    hour: str


class Difference(msgspec.Struct, frozen=True):
    """Something that is not as it must be."""

    check: str
    meaning: str
    row: str
    """The row that shows it, JSON."""


class Audit(msgspec.Struct, frozen=True):
    """A row of `audits`: the last periodic audit (AUDIT_EVERY), of what was received in [since, until)."""

    audit_time: str
    since: str
    until: str
    balanced: bool
    differences: list[Difference]


class Ledger(msgspec.Struct, frozen=True):
    """What was received in a period, a page of it by hour, and all of it together."""

    as_of: str
    start: str
    end: str
    totals: Fates
    rows: list[Entry]
    next_cursor: str | None
    audit: Audit | None
    """Null where none has run yet."""
