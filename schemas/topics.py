"""The topics: names, keys' meaning and settings at creation."""

from __future__ import annotations

from typing import Final

from core.kafka import TopicSpec
from core.settings import Settings

RAW: Final = "im.events.raw"
TRANSITIONS: Final = "im.transitions"
WINDOWS: Final = "im.channel.windows"
ALERTS: Final = "im.alerts"
DEAD: Final = "im.events.dead"

APP_ID: Final = "receipts"
PARTIALS = f"{APP_ID}.window.partials"
"""Window partials of one raw partition, keyed by window, on their way to the totals."""

MESSAGES_TABLE: Final = "messages"
PARTIALS_TABLE: Final = "partials"
TOTALS_TABLE: Final = "totals"


def changelog(table: str) -> str:
    """Return the name Faust gives to a table's changelog topic."""
    return f"{APP_ID}-{table}-changelog"


# Record headers of im.events.raw, and of im.events.dead.
HEADER_ORG: Final = "org"
HEADER_TYPE: Final = "type"
HEADER_RECEIVED: Final = "received"
HEADER_DELIVERY: Final = "delivery"
HEADER_SOURCE: Final = "source"
HEADER_ORIGIN: Final = "origin"
"""On a replayed record: `partition:offset` of its first copy in im.events.raw."""
HEADER_TRACE: Final = "traceparent"
"""On the records of a request that is traced: its trace (W3C Trace Context)."""
DEAD_HEADERS: Final = ("stage", "reason", "detail", "topic", "partition", "offset", "failed_at")


def largest_batch(settings: Settings) -> int:
    """Return the most bytes of a batch that the topics of source events take, and of a request that carries one."""
    # One element may be as large as the largest body; a dead letter may be a whole body.
    return settings.ingest_max_body_bytes + 1024 * 1024


def specs(settings: Settings) -> list[TopicSpec]:
    """Return every topic of the pipeline, changelogs included, as `receipts topics` creates them."""
    millis = {
        "raw": int(settings.raw_retention.total_seconds() * 1000),
        "window": int((settings.window_retention + settings.spool_max_age).total_seconds() * 1000),
    }
    kept = {"retention.ms": str(millis["raw"]), "message.timestamp.type": "CreateTime"}
    whole = {"max.message.bytes": str(largest_batch(settings))}
    compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2", "segment.ms": "3600000"}
    return [
        TopicSpec(RAW, config=kept | whole),
        TopicSpec(TRANSITIONS, config=kept),
        TopicSpec(WINDOWS, config={"cleanup.policy": "compact,delete", "retention.ms": str(millis["raw"])}),
        TopicSpec(ALERTS, config=kept),
        TopicSpec(DEAD, config={"retention.ms": "-1"} | whole),
        TopicSpec(PARTIALS, config={"retention.ms": str(millis["window"])}),
        *(TopicSpec(changelog(name), config=compacted) for name in (MESSAGES_TABLE, PARTIALS_TABLE, TOTALS_TABLE)),
    ]
