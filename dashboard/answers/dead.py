"""Dead letters."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

MOST_CHOSEN: Final = 100


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


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a change is made to."""

    ids: Annotated[
        # Python's $ would let a line end follow.
        list[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}-[0-9]{1,20}(?!\n)$")]],
        msgspec.Meta(min_length=1, max_length=MOST_CHOSEN),
    ]


class Change(msgspec.Struct, frozen=True):
    """What a letter is after a change was asked for."""

    id: str
    state: Literal["open", "redriven", "discarded", "unknown"]
    detail: str
    """Why it is not what was asked for; '' when it is."""


class Changes(msgspec.Struct, frozen=True):
    """What became of each letter that was named, in that order."""

    letters: list[Change]


class DeadCount(msgspec.Struct, frozen=True):
    """Dead letters by stage, reason and state."""

    stage: str
    reason: str
    state: str
    count: int
    last_failed_at: str
