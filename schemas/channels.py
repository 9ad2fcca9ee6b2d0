"""What a consumer must know of each public topic: key, headers, value, partition, and which role writes and reads it.

The AsyncAPI document and docs/topics.md are both made from this list. Who reads what only to look after it (the
operator's commands) is not in it.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Final, NamedTuple

import msgspec

from schemas import topics
from schemas.records import Alert, ChannelWindow, Transition


class Header(NamedTuple):
    """A record header. All are text."""

    name: str
    meaning: str
    always: bool = True


class Channel(NamedTuple):
    """A topic as a consumer meets it."""

    topic: str
    title: str
    summary: str
    key: str
    """What the key is, in words."""
    keyed: bool
    """Whether every record has a key."""
    partition: str
    """Which partition a record is in."""
    value: str
    """What the value is, in words."""
    record: type[msgspec.Struct] | None
    """The type of the value; None: the source's own bytes."""
    headers: tuple[Header, ...]
    writes: tuple[str, ...]
    reads: tuple[str, ...]


_SAME_PARTITION: Final = "The number of the raw record's partition."

CHANNELS: Final = (
    Channel(
        topics.RAW,
        "Raw events",
        "Every event of the source that was accepted, one record an element of a webhook's array.",
        "The message id as text (`payload.id` of an IM_Message_Add, so that it meets its statuses); of other events "
        "the session id, else the org id, else empty.",
        keyed=True,
        partition="`crc32(key) % partitions`. All that follows from a record stays in its partition number.",
        value="The array element's exact JSON bytes, as the source sent them.",
        record=None,
        headers=(
            Header(topics.HEADER_ORG, "Org id; empty where the event names none."),
            Header(topics.HEADER_TYPE, "The event's `eventType`."),
            Header(topics.HEADER_RECEIVED, "When the ingress received it, epoch milliseconds."),
            Header(
                topics.HEADER_DELIVERY,
                "One id for each HTTP request; `dead:ID` for an event of a redriven dead letter.",
            ),
            Header(
                topics.HEADER_SOURCE,
                "`webhook`, `simulator`, `spool` (it waited on the ingress's disk), or `replay` (sent again).",
            ),
            Header(
                topics.HEADER_ORIGIN,
                "On a replayed record: `partition:offset` of its first copy. It counts as that copy: skip it, unless "
                "you want repetitions.",
                always=False,
            ),
            Header(topics.HEADER_TRACE, "W3C Trace Context of a request that is traced.", always=False),
        ),
        writes=("ingest", "operator"),
        reads=("processor", "sink"),
    ),
    Channel(
        topics.TRANSITIONS,
        "Transitions",
        "One record a status that a webhook newly told of a message. At least once: the same record may come again, "
        "with the same bytes.",
        "The message id.",
        keyed=True,
        partition=_SAME_PARTITION,
        value="One JSON object.",
        record=Transition,
        headers=(),
        writes=("processor",),
        reads=("sink",),
    ),
    Channel(
        topics.WINDOWS,
        "Channel windows",
        "The totals so far of a channel's minute, each time they have changed. A later record of a key replaces the "
        "earlier one: do not add them up.",
        "`org_id:channel_id:window_start`, each part percent-encoded where it has a colon: "
        "`106553778:50007000000004080:2025-10-09T07%3A27%3A00.000Z`.",
        keyed=True,
        partition="All records of a window are in one partition; which one does not follow from the key.",
        value="One JSON object.",
        record=ChannelWindow,
        headers=(),
        writes=("processor",),
        reads=("sink", "dashboard"),
    ),
    Channel(
        topics.ALERTS,
        "Alerts",
        "One record for each opening, resolution or expiry of an alert. At least once: the same record may come again.",
        "The alert id.",
        keyed=True,
        partition="That of the message's raw record; of an alert on a channel `crc32(key) % partitions`.",
        value="One JSON object.",
        record=Alert,
        headers=(Header("detail", "What was measured, on alerts on channels.", always=False),),
        writes=("processor", "notifier"),
        reads=("sink", "notifier", "dashboard"),
    ),
    Channel(
        topics.DEAD,
        "Dead letters",
        "What a step could not use, with its reason. What the ingress parks is never in im.events.raw.",
        "That of the record it was; none for what the ingress parks.",
        keyed=False,
        partition="That of the record it was; of what the ingress parks, any.",
        value="The original bytes: an array element, a whole body, or another topic's record. They need not be JSON.",
        record=None,
        headers=(
            Header("stage", "The step that refused it: `ingress`, `processor`, `sink` or `notifier`."),
            Header("reason", "A tag for counting, such as `not_json`."),
            Header("detail", "A sentence for a person."),
            Header("topic", "Where the record stood; empty for what the ingress parks, as the next two."),
            Header("partition", "Its partition there."),
            Header("offset", "Its offset there."),
            Header("failed_at", "When it was refused: epoch milliseconds of the ingress, else ISO 8601."),
        ),
        writes=("ingest", "processor", "sink", "notifier", "operator"),
        reads=("sink",),
    ),
)

_COMMON: Final = {
    "org_id": "Zoho Desk's organisation.",
    "channel_id": "The channel; '' where none was told.",
    "session_id": "The conversation; '' where none was told.",
    "message_id": "The message; '' in an alert on a channel.",
    "new_status": "`SENT`, `DELIVERED`, `READ`, or one off the ladder.",
    "received_time": "When the ingress received the webhook.",
    "time_source": "Which clock stands in `updated_time`.",
    "raw_partition": "Where the record that told it stands in im.events.raw.",
    "raw_offset": "Its offset there; on a replayed record that of its first copy.",
    "window_start": "The minute; it is that of `updated_time`.",
    "sent": "Accepted records of this status, as the next two.",
    "delivered": "See `sent`.",
    "read": "See `sent`.",
    "other": "Accepted records of a status off the ladder.",
    "duplicates": "Records of a status that was known.",
    "late": "Records too old or too far ahead for any window, in the minute in which they were received.",
    "out_of_order": "Accepted records so marked.",
    "contradictions": "Accepted records so marked.",
    "sent_to_delivered_p95_ms": "95th percentile, milliseconds.",
    "delivered_to_read_p50_ms": "Median, in the minute of the READ.",
    "delivered_to_read_p95_ms": "95th percentile, milliseconds.",
    "delivered_to_read_sketch": "The same for the READ.",
    "alert_id": "The rule, org and message, or rule, org, channel and time, joined by colons.",
    "rule": "The rule's name.",
    "state": "`expired`: heard of more than an hour after it was due; it is never notified.",
    "followup": "Whether the rule is a follow-up.",
    "due_time": "When the message had stayed for too long.",
    "opened_time": "When the alert opened; null when it expired.",
    "resolved_time": "When a later status came; null while it is open.",
}
"""Fields that say nothing of their own in their type's docstrings."""


def meanings(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return what each field of a published type means: the docstring under it, else the common words for its name.

    A field without either is an error (KeyError): a consumer could not know what it is.
    """
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    told: dict[str, str] = {}
    name = ""
    for statement in getattr(body, "body", ()):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
            told[name] = inspect.cleandoc(str(statement.value.value))
    return {field: told[field] if field in told else _COMMON[field] for field in record.__struct_fields__}
