"""Makes what a body was split into."""

from __future__ import annotations

from ingest.body import Group, Parked, Split


def split_of(events: list[tuple[bytes, bytes]], parked: list[Parked] | None = None, org: str = "1") -> Split:
    """Return a split body whose events (key, text) all are of one org and type."""
    group = Group(org, "T", len(events))
    return Split([(key, text, group) for key, text in events], parked or [], [group] if events else [])
