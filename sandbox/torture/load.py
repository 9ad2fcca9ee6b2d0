"""The traffic of a run: straight into Kafka, or over HTTP as the source sends it; and what of it arrived."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic

import aiohttp

from core.errors import IngressUnavailableError
from core.kafka import Kafka
from sandbox.answer_key.collect import collect
from sandbox.simulator import calls
from sandbox.simulator.direct import load
from sandbox.simulator.traffic import Call, Event
from sandbox.torture.answers import Answers

PORTIONS = 50
"""Traffic straight into Kafka comes in this many portions, spread over the time of the faults."""
SENDERS = 16
PATIENCE_S = 240.0
"""How long a call is sent again; a supervisor that starts anew takes its time."""
TIMEOUT_S = 60.0
"""Longest wait for an answer: far more than is allowed, so that what is late is seen as late."""
AGAIN_S = (0.1, 1.0)
POLL_S = 1.0


async def straight(kafka: Kafka, events: Sequence[Event], seconds: float) -> list[bytes]:
    """Append all events to the raw topic, in portions, each at its time; return their bodies."""
    started = monotonic()
    portion = -(-len(events) // PORTIONS)
    for number in range(PORTIONS):
        await asyncio.sleep(max(0.0, started + seconds * number / PORTIONS - monotonic()))
        await load(kafka, events[number * portion : (number + 1) * portion])
    return [event.body for event in events]


async def over_http(url: str, events: Sequence[Event], seconds: float, answers: Answers) -> list[bytes]:
    """Post all events, evenly over `seconds`; return the bodies of those that were answered 200.

    A call that was refused or had no answer is sent again, so that its events may be there twice. Raises
    IngressUnavailableError when one is not taken for long.
    """
    taken: list[bytes] = []
    queues: list[asyncio.Queue[Call | None]] = [asyncio.Queue(8) for _ in range(SENDERS)]
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=SENDERS)) as session,
        asyncio.TaskGroup() as group,
    ):
        for queue in queues:
            group.create_task(_sender(session, url, queue, answers, taken))
        started, sent = monotonic(), 0
        for call in calls(events, senders=SENDERS):
            await asyncio.sleep(max(0.0, started + seconds * sent / len(events) - monotonic()))
            sent += len(call.events)
            await queues[call.sender].put(call)
        for queue in queues:
            await queue.put(None)
    return taken


async def _sender(
    session: aiohttp.ClientSession,
    url: str,
    queue: asyncio.Queue[Call | None],
    answers: Answers,
    taken: list[bytes],
) -> None:
    while (call := await queue.get()) is not None:
        deadline, wait_s = monotonic() + PATIENCE_S, AGAIN_S[0]
        while not await _taken(session, url, call, answers):
            if monotonic() > deadline:
                raise IngressUnavailableError(f"an event was not taken for {PATIENCE_S:.0f} s")
            await asyncio.sleep(wait_s)
            wait_s = min(AGAIN_S[1], wait_s * 2)
        taken.extend(event.body for event in call.events)


async def _taken(session: aiohttp.ClientSession, url: str, call: Call, answers: Answers) -> bool:
    """Send a call once; tell whether it was answered 200."""
    began = monotonic()
    try:
        async with session.post(url, data=call.body) as response:
            await response.read()
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        status = 0
    answers.note(began, monotonic() - began, status)
    return status == 200  # noqa: PLR2004 -- the one answer that means yes


async def missing(kafka: Kafka, bodies: Sequence[bytes], patience_s: float) -> Counter[bytes]:
    """Return what of the bodies is not in Kafka, by how many; waits up to `patience_s` for it (a spool drains)."""
    deadline = monotonic() + patience_s
    wanted = Counter(bodies)
    while True:
        lost = wanted - Counter(record.value for record in await collect(kafka))
        if not lost or monotonic() > deadline:
            return lost
        await asyncio.sleep(POLL_S)
