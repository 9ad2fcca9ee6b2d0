"""Dead letters."""

from __future__ import annotations

import msgspec


class DeadLetter(msgspec.Struct, frozen=True):
    """A row of `dead_letters`."""

    id: str
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int | None
    offset: int | None
    failed_at: str
    org_id: str
    state: str
    body: str
    """The first 20,000 characters."""
    body_encoding: str
    body_length: int


class DeadCount(msgspec.Struct, frozen=True):
    """Dead letters by stage, reason and state."""

    stage: str
    reason: str
    state: str
    count: int
    last_failed_at: str
