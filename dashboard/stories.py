"""One message, one session, a search, and how the pipeline does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Literal, TypeVar

import msgspec

from core.errors import NotFoundError
from dashboard import params
from dashboard.answers import (
    Alert,
    Found,
    Hit,
    Journey,
    Page,
    RawEvent,
    State,
    Step,
    Timeline,
)
from dashboard.parts import Parts
from dashboard.problems import NotYetError
from schemas.events import LADDER

WAIT_S: Final = 15.0
HEALTH_WAIT_S: Final = 5.0
MOST_RECORDS: Final = 200
MOST_OF_SESSION: Final = 500
_ALL: Final = {"org": "", "channel": ""}
T = TypeVar("T")


class Count(msgspec.Struct, frozen=True):
    """How many records a message of an org has, and how many of them tell a status."""

    org_id: str
    records: int
    statuses: int


async def message(parts: Parts, query: Mapping[str, str]) -> Page[Timeline]:
    """Return what became of a message, in each org that has one of this id."""
    asked = {"id": params.needed(query, "id"), "org": params.text(query, "org")}
    read = parts.reader.rows
    states, steps, alerts, raw, counts = await asyncio.gather(
        read("states", State, asked),
        read("steps", Step, asked),
        read("message_alerts", Alert, asked),
        read("message_records", RawEvent, {**asked, "limit": MOST_RECORDS}),
        read("message_record_counts", Count, asked),
    )
    if not states:
        raise NotFoundError(
            f"no message {asked['id']} is known", fix="Check the id; a message appears when its first status is told"
        )
    return Page([timeline(state, steps, alerts, raw, counts) for state in states], None)


def timeline(
    state: State, steps: list[Step], alerts: list[Alert], raw: list[RawEvent], counts: list[Count]
) -> Timeline:
    """Put together what belongs to one org's message."""
    own = [step for step in steps if step.org_id == state.org_id]
    records = [record for record in raw if record.org_id == state.org_id]
    told = {(step.raw_partition, step.raw_offset) for step in own}
    again = [
        record
        for record in records
        if record.event_type == "IM_Message_Status" and (record.raw_partition, record.raw_offset) not in told
    ]
    count = next((each for each in counts if each.org_id == state.org_id), Count(state.org_id, 0, 0))
    duplicates = len(again)
    if count.records > len(records):
        # Those that are not listed count too; each status told stands in one record.
        duplicates = max(duplicates, count.statuses - len(own))
    return Timeline(
        state,
        own,
        missing(own),
        duplicates,
        [alert for alert in alerts if alert.org_id == state.org_id],
        records,
        max(count.records, len(records)),
    )


def missing(steps: list[Step]) -> list[str]:
    """Return the ladder statuses that must have been, and were not told."""
    told = {step.new_status for step in steps}
    highest = max((LADDER.index(status) for status in told if status in LADDER), default=0)
    return [status for status in LADDER[:highest] if status not in told]


async def session(parts: Parts, query: Mapping[str, str]) -> Journey:
    """Return the messages of a session and what was told of them, in order."""
    asked = {"id": params.needed(query, "id"), "org": params.text(query, "org")}

    async def make() -> Journey:
        read = parts.reader.rows
        limited = {**asked, "limit": MOST_OF_SESSION + 1}
        messages, steps, events = await asyncio.gather(
            read("session_states", State, limited, patient=True),
            read("session_steps", Step, limited, patient=True),
            read("session_records", RawEvent, limited, patient=True),
        )
        return journey(asked["id"], messages, steps, events)

    found = await parts.snapshots.need(f"session {asked}", make, wait_s=WAIT_S)
    if found is None:
        raise NotYetError("The session is being looked up among many messages", fix="Ask again")
    if not (found.messages or found.events):
        raise NotFoundError(f"no session {asked['id']} is known", fix="Check the id")
    return found


def journey(session_id: str, messages: list[State], steps: list[Step], events: list[RawEvent]) -> Journey:
    """Put together what belongs to a session; of each one more was asked for than is shown."""
    most = MOST_OF_SESSION
    lengths: dict[Literal["messages", "steps", "events"], int] = {
        "messages": len(messages),
        "steps": len(steps),
        "events": len(events),
    }
    truncated = [name for name, length in lengths.items() if length > most]
    return Journey(session_id, messages[:most], steps[:most], events[:most], truncated)


async def search(parts: Parts, query: Mapping[str, str]) -> Found:
    """Find a message, session or channel by its whole id."""
    wanted = params.needed(query, "q").strip()

    async def make() -> list[Hit]:
        return await parts.reader.rows("search", Hit, {"id": wanted}, patient=True)

    found = await parts.snapshots.need(f"search {wanted!r}", make, wait_s=WAIT_S)
    if found is None:
        raise NotYetError("Still searching", fix="Ask again")
    return Found(wanted, found)
