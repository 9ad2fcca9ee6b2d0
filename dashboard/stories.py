"""One message, one session, a search, and how the pipeline does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar

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
_ALL: Final = {"org": "", "channel": ""}
T = TypeVar("T")


async def message(parts: Parts, query: Mapping[str, str]) -> Page[Timeline]:
    """Return what became of a message, in each org that has one of this id."""
    asked = {"id": params.needed(query, "id"), "org": params.text(query, "org")}
    read = parts.reader.rows
    states, steps, alerts, raw = await asyncio.gather(
        read("states", State, asked),
        read("steps", Step, asked),
        read("message_alerts", Alert, asked),
        read("message_records", RawEvent, asked),
    )
    if not states:
        raise NotFoundError(
            f"no message {asked['id']} is known", fix="Check the id; a message appears when its first status is told"
        )
    return Page([timeline(state, steps, alerts, raw) for state in states], None)


def timeline(state: State, steps: list[Step], alerts: list[Alert], raw: list[RawEvent]) -> Timeline:
    """Put together what belongs to one org's message."""
    own = [step for step in steps if step.org_id == state.org_id]
    records = [record for record in raw if record.org_id == state.org_id]
    told = {(step.raw_partition, step.raw_offset) for step in own}
    again = [
        record
        for record in records
        if record.event_type == "IM_Message_Status" and (record.raw_partition, record.raw_offset) not in told
    ]
    return Timeline(
        state, own, missing(own), len(again), [alert for alert in alerts if alert.org_id == state.org_id], records
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
        messages, steps, events = await asyncio.gather(
            read("session_states", State, asked, patient=True),
            read("session_steps", Step, asked, patient=True),
            read("session_records", RawEvent, asked, patient=True),
        )
        return Journey(asked["id"], messages, steps, events)

    found = await parts.snapshots.need(f"session {asked}", make, wait_s=WAIT_S)
    if found is None:
        raise NotYetError("The session is being looked up among many messages", fix="Ask again")
    if not (found.messages or found.events):
        raise NotFoundError(f"no session {asked['id']} is known", fix="Check the id")
    return found


async def search(parts: Parts, query: Mapping[str, str]) -> Found:
    """Find a message, session or channel by its whole id."""
    wanted = params.needed(query, "q").strip()

    async def make() -> list[Hit]:
        return await parts.reader.rows("search", Hit, {"id": wanted}, patient=True)

    found = await parts.snapshots.need(f"search {wanted!r}", make, wait_s=WAIT_S)
    if found is None:
        raise NotYetError("Still searching", fix="Ask again")
    return Found(wanted, found)
