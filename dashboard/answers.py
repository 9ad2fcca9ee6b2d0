"""What the read API answers: one type an answer. The OpenAPI document is made from these.

Times are ISO 8601 with milliseconds and Z, ids text, what is not known null. Each number is the one that the view of
the same name in ClickHouse gives.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

Row = TypeVar("Row")


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer."""

    code: str
    message: str


class Failure(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: Problem


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """Rows, and where the next ones begin: null at the end."""

    rows: list[Row]
    next_cursor: str | None


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


class Ready(msgspec.Struct, frozen=True):
    """How old what takes long to work out is."""

    state: Literal["ready", "computing", "failed"]
    computed_at: str | None
    message: str


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


class OpenMessage(msgspec.Struct, frozen=True):
    """A row of `open_messages`: nobody has read it yet."""

    org_id: str
    channel_id: str
    channel_type: str
    session_id: str
    message_id: str
    status: str
    since: str
    age_seconds: int
    stuck: bool
    can_report_delivered: bool
    can_report_read: bool


class Alert(msgspec.Struct, frozen=True):
    """A row of `alerts`."""

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


class Followup(msgspec.Struct, frozen=True):
    """A row of `followups`: an open alert of a follow-up rule with its message's facts."""

    alert_id: str
    rule: str
    org_id: str
    channel_id: str
    session_id: str
    message_id: str
    due_time: str
    opened_time: str | None
    status: str
    sent_time: str | None
    delivered_time: str | None


class State(msgspec.Struct, frozen=True):
    """A row of `message_state`."""

    org_id: str
    message_id: str
    channel_id: str
    session_id: str
    status: str
    sent_time: str | None
    delivered_time: str | None
    read_time: str | None
    delivered_implied: bool
    channel_type: str
    direction: str
    created_time: str | None


class Step(msgspec.Struct, frozen=True):
    """A row of `transitions`, and how long after the change its webhook was heard."""

    org_id: str
    message_id: str
    channel_id: str
    session_id: str
    old_status: str
    new_status: str
    updated_time: str
    event_time: str | None
    received_time: str
    time_source: Literal["updated", "event", "received"]
    implied: int
    out_of_order: bool
    contradiction: bool
    sent_to_delivered_ms: int | None
    delivered_to_read_ms: int | None
    heard_after_ms: int
    raw_partition: int
    raw_offset: int


class RawEvent(msgspec.Struct, frozen=True):
    """A row of `raw_events`: one webhook record as it came."""

    org_id: str
    event_type: str
    message_id: str
    session_id: str
    channel_id: str
    received_time: str
    source: str
    raw_partition: int
    raw_offset: int
    body: str


class Timeline(msgspec.Struct, frozen=True):
    """What became of one message of one org."""

    state: State
    steps: list[Step]
    missing: list[str]
    """Ladder statuses below the highest known one that no webhook told."""
    duplicates: int
    """Status records of the message that told nothing new."""
    alerts: list[Alert]
    raw: list[RawEvent]
    """The records themselves, the first 200."""


class Journey(msgspec.Struct, frozen=True):
    """A session's messages, their statuses in order, and the session's own events; the first 500 of each."""

    session_id: str
    messages: list[State]
    steps: list[Step]
    events: list[RawEvent]


class DeadLetter(msgspec.Struct, frozen=True):
    """A row of `dead_letters`."""

    id: str
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int | None
    offset: int | None
    failed_at: str
    org_id: str
    state: str
    body: str
    """The first 20,000 characters."""
    body_encoding: str
    body_length: int


class DeadCount(msgspec.Struct, frozen=True):
    """Dead letters by stage, reason and state."""

    stage: str
    reason: str
    state: str
    count: int
    last_failed_at: str


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
    channels: list[Channel]
    dead: list[DeadCount]


class Hit(msgspec.Struct, frozen=True):
    """Something with the id that was searched for."""

    kind: Literal["message", "session", "channel"]
    org_id: str
    id: str
    channel_id: str
    status: str
    """Of a message; '' otherwise."""
    messages: int
    """How many messages of a session; 1 for a message, 0 for a channel."""


class Found(msgspec.Struct, frozen=True):
    """What a search found."""

    query: str
    hits: list[Hit]


class Session(msgspec.Struct, frozen=True):
    """The viewer's own: whether a login is in force, and what a change must carry."""

    token_needed: bool
    csrf: str


def row_of(kind: type[Row], row: dict[str, Any]) -> Row:
    """Make an answer of a row of ClickHouse; big integers come as text, maps with text keys."""
    return msgspec.convert(row, kind, strict=False, str_keys=True)
