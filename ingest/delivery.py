"""What one HTTP request leaves behind: the records that must be durable before it is answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.kafka_writer import Headers
from core.tracing import TRACEPARENT
from ingest.body import Accepted, Parked, Split
from schemas import topics

WEBHOOK = "webhook"
SIMULATOR = "simulator"
SPOOL = "spool"


@dataclass(slots=True)
class Delivery:
    """The records of one request: events for `im.events.raw`, and (value, headers) of dead letters."""

    received_ms: int
    raw: list[Accepted] = field(default_factory=list)
    dead: list[tuple[bytes, Headers]] = field(default_factory=list)
    size: int = 0
    """Bytes of the body it came in: none of its texts is larger."""

    def __len__(self) -> int:
        return len(self.raw) + len(self.dead)


def build(found: Split, size: int, *, received_ms: int, delivery: str, source: str, trace: bytes = b"") -> Delivery:
    """Make the records of a body of `size` bytes; `delivery` is the request's id, `source` the header of that name.

    `trace` is the trace that events carry on, empty where there is none.
    """
    tail = [
        (topics.HEADER_RECEIVED, b"%d" % received_ms),
        (topics.HEADER_DELIVERY, delivery.encode()),
        (topics.HEADER_SOURCE, source.encode()),
    ]
    if trace:
        tail.append((TRACEPARENT, trace))
    for group in found.groups:
        group.headers = [
            (topics.HEADER_ORG, group.org.encode()),
            (topics.HEADER_TYPE, group.event_type.encode()),
            *tail,
        ]
    dead = [(item.text, dead_headers(item, received_ms)) for item in found.parked]
    return Delivery(received_ms, found.accepted, dead, size)


def dead_headers(item: Parked, failed_ms: int) -> Headers:
    """Return a dead letter's headers; it has no source record, so topic, partition and offset are empty."""
    values = {
        "stage": "ingress",
        "reason": item.reason,
        "detail": item.detail,
        "topic": "",
        "partition": "",
        "offset": "",
        "failed_at": str(failed_ms),
    }
    return [(name, values[name].encode(errors="backslashreplace")) for name in topics.DEAD_HEADERS]
