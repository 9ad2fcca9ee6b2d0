"""What every answer is made of: pages of rows, failures, ages."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

Row = TypeVar("Row")


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer."""

    code: str
    message: str


class Failure(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: Problem


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows, and where the next ones begin: null at the end."""

    rows: list[Row]
    next_cursor: str | None


class Ready(msgspec.Struct, frozen=True):
    """How old what takes long to work out is."""

    state: Literal["ready", "computing", "failed"]
    computed_at: str | None
    message: str


class Session(msgspec.Struct, frozen=True):
    """The viewer's own: whether a login is in force, and what a change must carry."""

    token_needed: bool
    csrf: str
    """What a change carries in its header X-CSRF-Token; '' without a session."""
    no_changes: str
    """Why nothing can be changed from a page, and how it could; '' when it can."""


def row_of(kind: type[Row], row: dict[str, Any]) -> Row:
    """Make an answer of a row of ClickHouse; big integers come as text, maps with text keys."""
    return msgspec.convert(row, kind, strict=False, str_keys=True)
