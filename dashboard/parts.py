"""What the handlers work with: one object, made at the start and closed at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from dashboard.access import Gate
from dashboard.feed import Feed
from dashboard.flow import Kafka
from dashboard.guess import Guesses
from dashboard.hub import Hub
from dashboard.letters import Work
from dashboard.reader import Reader
from dashboard.snapshots import Snapshots
from dashboard.tickets import Tickets


@dataclass(frozen=True, slots=True)
class Parts:
    """The edges (ClickHouse, Kafka), the live stream, and who may look."""

    reader: Reader
    kafka: Kafka
    hub: Hub
    feed: Feed
    gate: Gate
    tickets: Tickets | None
    ingest_urls: tuple[str, ...] = ()
    snapshots: Snapshots = field(default_factory=Snapshots)
    work: Work = field(default_factory=lambda: Work(None))
    guesses: Guesses = field(default_factory=Guesses)


PARTS: Final = web.AppKey("parts", Parts)
