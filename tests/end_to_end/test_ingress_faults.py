"""Kafka frozen, killed, restarted, the ingress killed, under load of many clients: nothing answered 200 is lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import orjson
import pytest

from core.clock import iso, now_ms
from core.settings import parse
from sandbox.demo.actual import Warehouse, reading
from tests.ingest.waiting import until
from tests.stack import Up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

CLIENTS = 32
EVENTS = 3
PAUSE_S = 0.04
ORG = "1060"
ANSWER_S = 5.0
"""The contract's bound of every answer."""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path, {"INGEST_ACK_TIMEOUT_MS": "1000"}, {"dashboard": 0, "notifier": 0}) as stack:
        yield stack


class Load:
    """Clients that each post SENT receipts of new messages, again and again, and remember what was answered."""

    def __init__(self, session: aiohttp.ClientSession, root: str) -> None:
        self._session = session
        self._root = root
        self._numbers = itertools.count(1)
        self._stop = False
        self.kept: list[int] = []
        self.refused: Counter[int | str] = Counter()
        self.slowest_s = 0.0

    def body(self, numbers: list[int]) -> bytes:
        told = {"status": "SENT", "updatedTime": iso(now_ms())}
        payloads = ({"messageId": n, "channelId": 7, "sessionId": 1, "messageNewStatus": told} for n in numbers)
        return orjson.dumps([{"eventType": "IM_Message_Status", "orgId": ORG, "payload": each} for each in payloads])

    async def client(self) -> None:
        while not self._stop:
            numbers = [next(self._numbers) for _ in range(EVENTS)]
            begun = monotonic()
            try:
                async with self._session.post(f"{self._root}/webhooks/zoho-desk", data=self.body(numbers)) as response:
                    await response.read()
                    answer: int | str = response.status
            except aiohttp.ClientError:
                answer = "no answer"
            self.slowest_s = max(self.slowest_s, monotonic() - begun)
            if answer == 200:
                self.kept += numbers
            else:
                self.refused[answer] += 1
            await asyncio.sleep(PAUSE_S)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self.client())
            try:
                yield
            finally:
                self._stop = True

    async def more(self, events: int) -> None:
        """Wait until that many more events were kept."""
        goal = len(self.kept) + events
        await until(lambda: len(self.kept) >= goal)

    async def readiness(self) -> dict[str, Any]:
        """Return what the ingress says of itself, nothing while it is away."""
        try:
            async with self._session.get(f"{self._root}/readyz") as response:
                found: dict[str, Any] = await response.json()
        except aiohttp.ClientError:
            return {"via": "", "spool": {"bytes": 0}}
        return found

    async def until_via(self, way: str) -> None:
        async def found() -> bool:
            return bool((await self.readiness())["via"] == way)

        await until(found, seconds=60)

    async def until_spooled(self) -> None:
        async def found() -> bool:
            return bool((await self.readiness())["spool"]["bytes"])

        await until(found)


def send(up: Up, role: str, number: signal.Signals) -> None:
    """Send a signal to the working process of a role."""
    os.kill(int(up.ps()[role]["pid"]), number)


async def disturb_kafka(up: Up, load: Load) -> None:
    """Freeze, kill and restart the broker; after each, wait until events go to it again."""
    await load.more(2000)
    send(up, "broker", signal.SIGSTOP)
    await load.until_spooled()
    await load.more(2000)
    send(up, "broker", signal.SIGCONT)
    await load.until_via("kafka")
    for number in (signal.SIGKILL, signal.SIGTERM):
        await load.more(1000)
        send(up, "broker", number)
        await load.until_via("spool")
        await load.more(1000)
        await load.until_via("kafka")


async def kill_the_ingress(up: Up, load: Load) -> None:
    """Kill it while events wait in its spool; the next process has to find them."""
    send(up, "broker", signal.SIGSTOP)
    await load.until_spooled()
    await load.more(500)
    send(up, "ingest", signal.SIGKILL)
    await load.more(500)
    send(up, "broker", signal.SIGCONT)
    await load.until_via("kafka")
    await load.more(500)


async def test_whatever_becomes_of_kafka_and_the_ingress_every_event_answered_200_is_there_once(up: Up) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        load = Load(session, up.ingest)
        async with load.running():
            await disturb_kafka(up, load)
            assert load.refused == {}, "Kafka's troubles are none of the sender's"
            await kill_the_ingress(up, load)
    assert load.refused.keys() <= {"no answer"}
    assert load.slowest_s < ANSWER_S
    async with reading(parse({**up.variables, "STATE_DIR": str(up.state_dir)})) as warehouse:
        await settled(warehouse, len(load.kept))
        await hold_against(warehouse, load.kept)
    done = up.receipts("doctor")
    assert done.returncode == 0, done.stdout


async def settled(warehouse: Warehouse, kept: int) -> None:
    """Wait until every raw record was worked on and stored."""

    async def done() -> bool:
        raw = await warehouse.number("SELECT count() FROM raw_events")
        told = await warehouse.number("SELECT count() FROM transitions")
        counted = await warehouse.number("SELECT sum(sent) + sum(duplicates) FROM channel_windows")
        return told >= kept and counted == raw

    await until(done, seconds=60)


async def hold_against(warehouse: Warehouse, kept: list[int]) -> None:
    """Every message answered 200 has one status; what Kafka has twice was counted as a duplicate and nothing else."""
    rows = await warehouse.rows("SELECT message_id, count() AS copies FROM raw_events GROUP BY message_id")
    copies = {int(str(row["message_id"])): int(str(row["copies"])) for row in rows}
    assert set(kept) - copies.keys() == set()
    for view in ("transitions", "message_state"):
        told = Counter(int(str(row["message_id"])) for row in await warehouse.rows(f"SELECT message_id FROM {view}"))
        assert told == dict.fromkeys(copies, 1)
    (counts,) = await warehouse.rows("SELECT sum(sent) AS sent, sum(duplicates) AS duplicates FROM channel_windows")
    assert counts == {"sent": len(copies), "duplicates": sum(copies.values()) - len(copies)}
