"""The stream of events in the order of their webhooks, and the calls that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple
from zlib import crc32

from sandbox.simulator import wire
from sandbox.simulator.cast import Org, Talk, first_message, orgs
from sandbox.simulator.config import Traffic
from sandbox.simulator.lives import live
from sandbox.simulator.noise import disturb

LONGEST_ARRAY = 50
USUAL_ARRAY = 12.0
ADDED_SHARE = 0.95
INCOMING_SHARE = 0.15
SESSION_SHARE = 0.10
UNKNOWN_SHARE = 0.005
SESSIONS_FROM = 5 * 10**7
INCOMING_FROM = 7 * 10**7


class Event(NamedTuple):
    """One element of a webhook's array."""

    at_ms: int
    """When its webhook leaves."""
    org: str
    key: str
    """The message id, else the session id; '' for a broken element. One key stays with one sender."""
    kind: str
    """The event type; '' for a broken element."""
    body: bytes


class Call(NamedTuple):
    """One webhook call: an array of one org's events."""

    sender: int
    org: str
    events: list[Event]

    @property
    def body(self) -> bytes:
        """The HTTP body."""
        return b"[" + b",".join([event.body for event in self.events]) + b"]"


_Waiting = list[tuple[int, int, Event]]


def events(traffic: Traffic) -> Iterator[Event]:
    """Yield all events up to `traffic.now_ms`, in the order in which their webhooks leave."""
    waiting: _Waiting = []
    number = 0
    for created_ms, told in _births(traffic):
        for event in told:
            if event.at_ms <= traffic.now_ms:
                number += 1
                heappush(waiting, (event.at_ms, number, event))
        # Nothing of a later message leaves before that message is created.
        while waiting and waiting[0][0] < created_ms:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def _births(traffic: Traffic) -> Iterator[tuple[int, list[Event]]]:
    """Yield each message's creation time and events; times never fall."""
    random = Random(traffic.seed)  # noqa: S311 -- reproducible, not secret
    cast = orgs(traffic)
    weights = [[channel.manners.share for channel in org.channels] for org in cast]
    first = first_message(traffic)
    every = max(1, traffic.messages // traffic.broken) if traffic.broken else 0
    broken = 0
    for index in range(traffic.messages):
        created_ms = traffic.start_ms + int(traffic.span_ms * (index + random.random()) / traffic.messages)
        number, place = divmod(index, len(cast))
        org = cast[place]
        channel = random.choices(org.channels, weights[place])[0]
        session = channel.session(random, org.digits(first + SESSIONS_FROM + number))
        talk = Talk(org, channel, session, org.digits(first + number + 1))
        told = _events(random, traffic, talk, created_ms)
        if every and index % every == 0 and broken < traffic.broken:
            told.append(_broken(org, broken, created_ms))
            broken += 1
        yield created_ms, told
    while broken < traffic.broken:
        yield traffic.now_ms, [_broken(cast[0], broken, traffic.now_ms)]
        broken += 1


def _broken(org: Org, number: int, at_ms: int) -> Event:
    return Event(at_ms, org.id, "", "", wire.BROKEN[number % len(wire.BROKEN)])


def _events(random: Random, traffic: Traffic, talk: Talk, created_ms: int) -> list[Event]:
    """Return what is told of one outgoing message and of what happens beside it."""
    org, channel, _, message = talk
    told = [
        Event(receipt.at_ms, org.id, message, "IM_Message_Status", wire.status(random, talk, receipt))
        for receipt in disturb(random, traffic, live(random, channel.manners, created_ms))
    ]
    if traffic.siblings:
        told += _siblings(random, talk, created_ms)
    return told


def _siblings(random: Random, talk: Talk, created_ms: int) -> Iterator[Event]:
    org, _, session, message = talk
    chance, lag = random.random(), int(random.expovariate(1 / 400))
    at_ms = created_ms + lag
    if chance < ADDED_SHARE:
        yield Event(at_ms, org.id, message, "IM_Message_Add", wire.added(random, talk, created_ms, "OUT"))
    if chance < INCOMING_SHARE:
        # The customer's own message: its number is past every outgoing one of the seed.
        incoming = org.digits(int(message.removesuffix(org.tail)) + INCOMING_FROM)
        body = wire.added(random, talk._replace(message=incoming), created_ms, "IN")
        yield Event(at_ms, org.id, incoming, "IM_Message_Add", body)
    if chance > 1 - SESSION_SHARE:
        yield Event(at_ms, org.id, session, "IM_Session_Status", wire.session_status(talk, at_ms))
    if chance > 1 - UNKNOWN_SHARE:
        yield Event(at_ms, org.id, session, "IM_Typing_Status", wire.unknown(talk, at_ms))


def calls(stream: Iterable[Event], *, senders: int = 8, seed: int = 1, linger_ms: int | None = None) -> Iterator[Call]:
    """Pack events into calls. All of a message goes through one sender, in order.

    An array holds 1 to 50 events of one org. With `linger_ms`, none waits longer than that for its array to fill.
    """
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    open_calls: dict[tuple[int, str], Call] = {}
    sizes: dict[tuple[int, str], int] = {}
    swept_ms = 0
    for event in stream:
        if linger_ms is not None and event.at_ms >= swept_ms + linger_ms:
            yield from open_calls.values()
            open_calls.clear()
            swept_ms = event.at_ms
        place = (crc32(event.key.encode()) % senders, event.org)
        call = open_calls.get(place)
        if call is None:
            call = open_calls[place] = Call(*place, [])
            sizes[place] = min(LONGEST_ARRAY, 1 + int(random.expovariate(1 / USUAL_ARRAY)))
        call.events.append(event)
        if len(call.events) >= sizes[place]:
            yield open_calls.pop(place)
    yield from open_calls.values()
