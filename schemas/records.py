"""What the pipeline publishes: one type a topic. JSON Schemas are made from these types (`schemas.jsonschema`).

Times are ISO 8601 with milliseconds and Z, ids text, absent values null.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TimeSource = Literal["updated", "event", "received"]


class Transition(msgspec.Struct, frozen=True, gc=False):
    """`im.transitions`: a status that a webhook told newly of a message. Identity: org_id, message_id, new_status.

    Of two rows of one identity the one with the lower `raw_offset` holds.
    """

    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    old_status: str
    """As told; '' when the source told null."""
    new_status: str
    updated_time: str
    """When the status changed; `time_source` says which clock stands here."""
    event_time: str | None
    """The source's eventTime; null when missing or unreadable."""
    received_time: str
    time_source: TimeSource
    implied: int
    """How many lower ladder statuses were not known when this one came (0-2)."""
    out_of_order: bool
    """A higher ladder status was already known."""
    contradiction: bool
    """The told old status contradicts what is known."""
    sent_to_delivered_ms: int | None
    """On the record that completes the pair; may be negative."""
    delivered_to_read_ms: int | None
    """On the record that completes the pair; may be negative."""
    raw_partition: int
    raw_offset: int


class ChannelWindow(msgspec.Struct, frozen=True, gc=False):
    """`im.channel.windows`: absolute totals so far of one channel's minute. Identity: org_id, channel_id, window_start.

    Of two rows of one identity the one with the higher `version` holds.
    """

    org_id: str
    channel_id: str
    window_start: str
    sent: int
    delivered: int
    read: int
    other: int
    duplicates: int
    late: int
    out_of_order: int
    contradictions: int
    negative_latencies: int
    """Pairs whose latency is below zero; they stay out of the quantiles."""
    sent_to_delivered_p50_ms: float | None
    """Quantiles have a relative error of at most 1 %."""
    sent_to_delivered_p95_ms: float | None
    delivered_to_read_p50_ms: float | None
    delivered_to_read_p95_ms: float | None
    sent_to_delivered_sketch: dict[int, int]
    """Count by bucket of `schemas.sketch`: sketches of several windows add up bucket by bucket."""
    delivered_to_read_sketch: dict[int, int]
    version: int
    """Grows with every record counted, over all raw partitions."""


class Alert(msgspec.Struct, frozen=True, gc=False):
    """`im.alerts`: an alert opened, resolved, or found expired. Identity: alert_id."""

    alert_id: str
    rule: str
    state: Literal["open", "resolved", "expired"]
    followup: bool
    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    due_time: str
    opened_time: str | None
    resolved_time: str | None
