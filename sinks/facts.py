"""What is known of the pipeline's parts when somebody asks why events or data are missing. Pure: values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part that cannot be asked, and why."""

    error: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What the ingress tells of itself. Counts are of one process, since it started."""

    ready: bool
    reason: str
    """Why it cannot take events, '' when it can."""
    kafka: str
    """`available`, `slow` or `away`."""
    spool_bytes: int
    spool_oldest_s: int
    spool_fault: str
    """Why nothing more is spooled, '' when that is not so."""
    outcomes: Mapping[str, int]
    """Requests by outcome: accepted, setup_check, or why they were refused."""
    last_event_ms: Mapping[str, int]
    """When each org was last heard, epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Group:
    """How far the members of a consumer group have come."""

    name: str
    """`processor` or `sink`."""
    lag: int
    """Records not yet worked on."""
    moving: bool
    """Whether that was worked on while it was watched."""


@dataclass(frozen=True, slots=True)
class Org:
    """What the warehouse knows of an org: the events of the days looked at, and when the last one came."""

    org_id: str
    status_events: int
    message_events: int
    last_heard_ms: int


@dataclass(frozen=True, slots=True)
class Channel:
    """What the warehouse knows of a channel: since ever, and (the counts) of the days looked at."""

    org_id: str
    channel_id: str
    type: str
    first_heard_ms: int
    last_heard_ms: int
    statuses: tuple[str, ...]
    """All that were ever told."""
    can_report_delivered: bool
    can_report_read: bool
    receipts: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    contradictions: int = 0
    late: int = 0
    """Receipts too old or too new for any window."""
    other_clock: int = 0
    """Receipts without a readable `updatedTime`."""
    gaps: int = 0
    """Statuses that must have been, of a kind that the channel reports, and that no webhook told."""
    longest_silence_s: int = 0
    """Longest time without a receipt between the first and the last one; 0 where too few came to tell."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Open dead letters of one stage and reason."""

    stage: str
    reason: str
    count: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the warehouse knows."""

    orgs: tuple[Org, ...] = ()
    channels: tuple[Channel, ...] = ()
    letters: tuple[Letters, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was found out at a moment, of each part or why that part is silent."""

    now_ms: int
    days: int
    """Days that the counts look back."""
    intake: Intake | Unknown
    groups: tuple[Group, ...] | Unknown
    stored: Stored | Unknown
    places: Mapping[str, str] = field(default_factory=dict)
    """Where each part was looked for: `ingress`, `kafka`, `clickhouse`."""
