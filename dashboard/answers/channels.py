"""Channels: what they report, and the rows of their views."""

from __future__ import annotations

import msgspec


class Channel(msgspec.Struct, frozen=True):
    """A row of `coverage`: what a channel can report, and when it was heard."""

    org_id: str
    channel_id: str
    channel_type: str
    name: str
    first_heard: str
    last_heard: str
    statuses: list[str]
    can_report_delivered: bool
    can_report_read: bool


class Rates(msgspec.Struct, frozen=True):
    """`channel_rates` of a channel, added up over the cohorts of the period. A cohort is the messages of one hour."""

    sent: int
    """Messages."""
    delivered: int
    read: int
    delivery_ratio: float | None
    """Delivered / sent over all cohorts; null where the channel cannot report it."""
    read_ratio: float | None
    read_of_delivered: float | None
    mature_sent: int
    """Messages of the cohorts that have had time to be read."""
    mature_delivery_ratio: float | None
    """The same over mature cohorts alone; null where there are none, too."""
    mature_read_ratio: float | None


class ChannelRates(Rates, frozen=True):
    """`Rates` with the channel they are of."""

    org_id: str
    channel_id: str


class Reading(msgspec.Struct, frozen=True):
    """How long readers took from SENT to READ, of the messages read in the period (`message_state`)."""

    org_id: str
    channel_id: str
    reads: int
    sent_to_read_p50_ms: float | None
    sent_to_read_p95_ms: float | None


class Cohort(msgspec.Struct, frozen=True):
    """A row of `channel_rates`."""

    org_id: str
    channel_id: str
    channel_type: str
    hour: str
    sent: int
    delivered: int
    read: int
    delivery_ratio: float | None
    read_ratio: float | None
    read_of_delivered: float | None
    mature: bool


class Window(msgspec.Struct, frozen=True):
    """A row of `channel_windows`: one minute of one channel."""

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
    sent_to_delivered_p50_ms: float | None
    sent_to_delivered_p95_ms: float | None
    delivered_to_read_p50_ms: float | None
    delivered_to_read_p95_ms: float | None
