"""How the pipeline does."""

from __future__ import annotations

import msgspec

from dashboard.answers.channels import Channel
from dashboard.answers.dead import DeadCount


class Lag(msgspec.Struct, frozen=True):
    """Records of a topic that a stage's consumer group has not committed yet."""

    stage: str
    group: str
    topic: str
    records: int


class Flow(msgspec.Struct, frozen=True):
    """What Kafka tells."""

    events_per_s: float | None
    """Records a second into im.events.raw between the last two looks; null at the first one."""
    lags: list[Lag]


class Spool(msgspec.Struct, frozen=True):
    """What waits on an ingress's disk for Kafka, as its own /metrics tells; null: not known."""

    address: str
    problem: str
    """Why it is not known; '' when it is."""
    bytes: int | None
    oldest: str | None
    """When the oldest of it began to wait; null too when nothing waits."""
    kafka_available: bool | None
    """Whether Kafka takes what this ingress sends."""


class Live(msgspec.Struct, frozen=True):
    """The live stream."""

    connected: bool
    message: str
    viewers: int
    cut_off: int


class Health(msgspec.Struct, frozen=True):
    """How the pipeline does."""

    as_of: str
    warehouse: str
    """'' when ClickHouse answers, else why not; `kafka` likewise."""
    kafka: str
    flow: Flow | None
    live: Live
    spools: list[Spool] | None
    """Null where DASHBOARD_INGEST_URLS names no ingress."""
    channels: list[Channel]
    dead: list[DeadCount]
