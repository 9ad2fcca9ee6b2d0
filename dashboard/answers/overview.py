"""The overview and one channel's page."""

from __future__ import annotations

import msgspec

from dashboard.answers.channels import Channel, Rates, Reading
from dashboard.answers.common import Ready


class Summary(msgspec.Struct, frozen=True):
    """One channel's period: receipts (`channel_windows`), rates (`channel_rates`), alerts (`alerts`)."""

    channel: Channel
    sent: int
    """SENT receipts in the period; so are delivered and read."""
    delivered: int
    read: int
    other: int
    duplicates: int
    late: int
    out_of_order: int
    contradictions: int
    sent_to_delivered_p50_ms: float | None
    sent_to_delivered_p95_ms: float | None
    delivered_to_read_p50_ms: float | None
    delivered_to_read_p95_ms: float | None
    spark: list[int]
    """SENT receipts by bucket."""
    open_alerts: int
    open_followups: int
    rates: Rates | None
    """Null while they are worked out, and where no message falls into the period."""
    reading: Reading | None


class Overview(msgspec.Struct, frozen=True):
    """All channels over a period."""

    as_of: str
    problem: str
    """Why the numbers are not newer than `as_of`; '' when the last look at ClickHouse went well."""
    start: str
    end: str
    bucket_s: int
    rates: Ready
    channels: list[Summary]


class Bucket(msgspec.Struct, frozen=True):
    """Receipts of one stretch of time (`channel_windows`)."""

    start: str
    sent: int
    delivered: int
    read: int
    other: int
    duplicates: int
    late: int
    sent_to_delivered_p50_ms: float | None
    sent_to_delivered_p95_ms: float | None
    delivered_to_read_p50_ms: float | None
    delivered_to_read_p95_ms: float | None


class Heat(msgspec.Struct, frozen=True):
    """Reads of one hour of one weekday in the asked time zone (1: Monday)."""

    weekday: int
    hour: int
    reads: int
    delivered_to_read_p50_ms: float | None


class Bar(msgspec.Struct, frozen=True):
    """Latencies between two bounds; the last bar has no upper one."""

    from_ms: int
    to_ms: int | None
    count: int


class ChannelDetail(msgspec.Struct, frozen=True):
    """One channel over a period."""

    as_of: str
    start: str
    end: str
    tz: str
    bucket: str
    summary: Summary
    rates: Ready
    series: list[Bucket]
    heat: list[Heat]
    sent_to_delivered: list[Bar]
    delivered_to_read: list[Bar]
