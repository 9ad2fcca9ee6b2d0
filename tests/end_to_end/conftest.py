"""A stack of this package's own: what it holds is exactly what these tests have sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from core.clock import now_ms
from core.settings import Settings, parse
from sandbox.answer_key import describe
from sandbox.answer_key.rows import Tables
from sandbox.demo.actual import Warehouse, reading
from sandbox.demo.verify import expected_counts, key_of, verify, wait
from sandbox.simulator import Traffic, calls, events
from sandbox.simulator.client import Outcome, Pace, send
from sandbox.simulator.traffic import Call
from tests.end_to_end.apart import BROKEN, Apart, post
from tests.stack import Up

SENDERS = 8
ARRIVAL_S = 120.0


@dataclass
class Sent:
    """Everything that any test of this package has sent."""

    bodies: list[bytes] = field(default_factory=list)
    parked: int = 0


@dataclass
class Chain:
    """The whole chain: HTTP in, ClickHouse out."""

    up: Up
    sent: Sent
    settings: Settings
    warehouse: Warehouse

    async def post(
        self, calls: list[Call], *, pace: Pace | None = None, then: Callable[[], None] | None = None
    ) -> Outcome:
        """Send calls; `then` is called once, when half of them are answered."""
        half, done = len(calls) // 2, 0

        def told(call: Call) -> None:
            nonlocal done
            self.sent.bodies.extend(event.body for event in call.events if event.kind)
            done += 1
            if then is not None and done == half:
                then()

        url = f"{self.up.ingest}/webhooks/zoho-desk"
        outcome = await send(url, calls, senders=SENDERS, pace=pace, on_sent=told)
        self.sent.parked += outcome.parked
        return outcome

    async def settled(self) -> Tables:
        """Wait until ClickHouse has everything, hold it against both answer keys, and return its tables."""
        moment = now_ms()
        key = key_of(self.settings, self.sent.bodies, moment)
        await wait(self.warehouse, expected_counts(key, self.sent.parked), ARRIVAL_S)
        verdict = await verify(self.settings, self.warehouse, key, settle_s=30.0)
        assert verdict.exact == [], describe(verdict.exact)
        assert verdict.sent == [], describe(verdict.sent)
        return await self.warehouse.tables()


@pytest.fixture(scope="session")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, Sent]]:
    """One stack for the package, and the record of what it was sent."""
    with Up(tmp_path_factory.mktemp("chain")) as up:
        yield up, Sent()


@pytest.fixture
async def chain(own_stack: tuple[Up, Sent]) -> AsyncIterator[Chain]:
    """Give the chain with a connection to its ClickHouse."""
    up, sent = own_stack
    settings = parse({**up.variables, "STATE_DIR": str(up.state_dir)})
    async with reading(settings) as warehouse:
        yield Chain(up, sent, settings, warehouse)


@pytest.fixture(scope="session")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """Start a chain with some traffic, and its processor beside it."""
    with Up(tmp_path_factory.mktemp("apart"), scale={"processor": 0, "notifier": 0}) as stack:
        found = Apart(stack)
        found.start()
        traffic = Traffic(now_ms=now_ms(), messages=400, seed=3, broken=2)
        for call in calls(events(traffic)):
            post(stack, call.body)
        post(stack, BROKEN)
        yield found
        found.stop()


@pytest.fixture(scope="session")
def apart(processor: Apart) -> Up:
    """Give that chain to the tests that look after it, and spoil it in the end."""
    return processor.up
