"""What one HTTP request leaves behind: the records that must be durable before it is answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.body import Parked, Split
from schemas import topics

Headers = list[tuple[str, bytes]]
"""Kafka record headers, in order."""

WEBHOOK = "webhook"
SIMULATOR = "simulator"
SPOOL = "spool"


@dataclass(slots=True)
class Delivery:
    """The records of one request. `raw` holds (key, value, headers), `dead` holds (value, headers)."""

    received_ms: int
    raw: list[tuple[bytes, bytes, Headers]] = field(default_factory=list)
    dead: list[tuple[bytes, Headers]] = field(default_factory=list)
    size: int = 0
    """Bytes of the body it came in: none of its texts is larger."""

    def __len__(self) -> int:
        return len(self.raw) + len(self.dead)


def build(found: Split, size: int, *, received_ms: int, delivery: str, source: str) -> Delivery:
    """Make the records of a body of `size` bytes; `delivery` is the request's id, `source` the header of that name."""
    headers: dict[tuple[str, str], Headers] = {}
    raw = []
    tail = [
        (topics.HEADER_RECEIVED, b"%d" % received_ms),
        (topics.HEADER_DELIVERY, delivery.encode()),
        (topics.HEADER_SOURCE, source.encode()),
    ]
    for key, text, org, event_type in found.accepted:
        # One list for all records of an org and type: Kafka's encoder only reads it.
        shared = headers.get((org, event_type))
        if shared is None:
            shared = headers[org, event_type] = [
                (topics.HEADER_ORG, org.encode()),
                (topics.HEADER_TYPE, event_type.encode()),
                *tail,
            ]
        raw.append((key, text, shared))
    dead = [(item.text, dead_headers(item, received_ms)) for item in found.parked]
    return Delivery(received_ms, raw, dead, size)


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
