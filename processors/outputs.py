"""Where the first step appends what follows from raw records."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from processors.ports import Append
from schemas.records import Alert

Publish = Callable[[Alert], None]


class Outputs(NamedTuple):
    """The appenders of one outbox."""

    facts: Append
    """To the messages changelog."""
    kept: Append
    """To the same changelog: what is kept of alerts."""
    transitions: Append
    alerts: Publish
