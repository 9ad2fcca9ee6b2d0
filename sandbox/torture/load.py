"""The traffic of a run: straight into Kafka, or over HTTP as the source sends it; and what of it arrived."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic

from sandbox.answer_key.collect import collect
from sandbox.simulator import calls
from sandbox.simulator.client import Pace, send
from sandbox.simulator.direct import load
from sandbox.simulator.traffic import Call, Event
from sandbox.stack import Stack

PORTIONS = 50
"""Traffic straight into Kafka comes in this many portions, spread over the time of the faults."""
SENDERS = 16
PATIENCE_S = 120.0
POLL_S = 1.0


async def straight(stack: Stack, events: Sequence[Event], seconds: float) -> list[bytes]:
    """Append all events to the raw topic, in portions, each at its time; return their bodies."""
    started = monotonic()
    portion = -(-len(events) // PORTIONS)
    for number in range(PORTIONS):
        await asyncio.sleep(max(0.0, started + seconds * number / PORTIONS - monotonic()))
        await load(stack.kafka, events[number * portion : (number + 1) * portion])
    return [event.body for event in events]


async def over_http(stack: Stack, events: Sequence[Event], seconds: float) -> list[bytes]:
    """Post all events, evenly over `seconds`; return the bodies of those that were answered 200.

    A call that was refused or had no answer is sent again, so that its events may be there twice.
    """
    answered: list[bytes] = []

    def sent(call: Call) -> None:
        answered.extend(event.body for event in call.events)

    pace = Pace(rate=len(events) / seconds, patience_s=PATIENCE_S)
    url = f"{stack.ingest_url}/webhooks/zoho-desk"
    await send(url, calls(events, senders=SENDERS), senders=SENDERS, pace=pace, on_sent=sent)
    return answered


async def missing(stack: Stack, bodies: Sequence[bytes], patience_s: float) -> Counter[bytes]:
    """Return what of the bodies is not in Kafka, by how many; waits up to `patience_s` for it (a spool drains)."""
    deadline = monotonic() + patience_s
    wanted = Counter(bodies)
    while True:
        lost = wanted - Counter(record.value for record in await collect(stack.kafka))
        if not lost or monotonic() > deadline:
            return lost
        await asyncio.sleep(POLL_S)
