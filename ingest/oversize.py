"""What is larger than a Kafka topic takes: parked if the dead-letter topic takes it, else set aside on disk. Pure."""

from __future__ import annotations

from core.kafka_writer import Headers
from ingest.body import Accepted, Parked, Split
from ingest.delivery import Delivery, dead_headers
from ingest.link import Limits

ROOM = 512
"""Bytes of a batch that are neither key, value nor headers, generously."""


def weigh(key: bytes | None, value: bytes, headers: Headers) -> int:
    """Return at most how many bytes a batch with this one record has."""
    return ROOM + len(key or b"") + len(value) + sum(len(name) + len(text) + 10 for name, text in headers)


def park_oversized(found: Split, limit: int) -> Split:
    """Park the events whose text alone comes near a topic's limit."""
    accepted: list[Accepted] = []
    parked = list(found.parked)
    for event in found.accepted:
        key, text, group = event
        if len(key) + len(text) + 4 * (len(group.org) + len(group.event_type)) + 2 * ROOM > limit:
            parked.append(_too_large(text, limit))
            group.count -= 1
        else:
            accepted.append(event)
    return Split(accepted, parked, [group for group in found.groups if group.count])


def _too_large(text: bytes, limit: int) -> Parked:
    return Parked(
        text, "too_large", f"the event is larger than the topic takes ({limit} bytes): raise max.message.bytes"
    )


def fit(delivery: Delivery, limits: Limits) -> tuple[Delivery, Delivery]:
    """Divide a delivery into what Kafka takes and what no topic takes; too large events become dead letters."""
    fits = Delivery(delivery.received_ms, size=delivery.size)
    rest = Delivery(delivery.received_ms, size=delivery.size)
    letters = list(delivery.dead)
    for key, text, group in delivery.raw:
        if weigh(key, text, group.headers) <= limits.raw_bytes:
            fits.raw.append((key, text, group))
        else:
            letters.append((text, dead_headers(_too_large(text, limits.raw_bytes), delivery.received_ms)))
    for value, headers in letters:
        (fits if weigh(None, value, headers) <= limits.dead_bytes else rest).dead.append((value, headers))
    return fits, rest


def may_not_fit(delivery: Delivery, limits: Limits) -> bool:
    """Tell cheaply whether something of a delivery could be larger than a topic takes."""
    return delivery.size + 4 * ROOM > min(limits.raw_bytes, limits.dead_bytes)
