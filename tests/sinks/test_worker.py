"""The sink role on a real Kafka and ClickHouse: every row once, whatever is killed, away or refused."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiohttp import ClientConnectionError
from aiokafka import AIOKafkaProducer

from core.clickhouse import HttpClickHouse, connect
from core.settings import parse
from schemas import topics
from sinks.migrate import migrate, released
from tests.sandbox.role import Role
from tests.stack import Up, no_roles

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

DEADLINE_S = 60


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a Kafka and a ClickHouse of our own: the topics' names are fixed, and tests stop these parts."""
    with Up(tmp_path_factory.mktemp("sinks"), scale=no_roles()) as up:
        yield up


class Bench:
    """One test's database, and rows sent to it through Kafka."""

    def __init__(self, up: Up, tmp_path: Path, database: str, clickhouse: HttpClickHouse) -> None:
        self.up, self.tmp_path, self.database, self.clickhouse = up, tmp_path, database, clickhouse

    def sink(self, name: str = "a", *, failpoint: str = "", clickhouse: str = "") -> Role:
        """Return a sink role that is not started yet."""
        environ = {
            "KAFKA_BOOTSTRAP_SERVERS": self.up.kafka,
            "CLICKHOUSE_URL": clickhouse or self.up.clickhouse,
            "CLICKHOUSE_DATABASE": self.database,
            "INSTANCE_ID": name,
            "METRICS_PORT": "0",
            "FAILPOINT": failpoint,
        }
        return Role("sink", self.tmp_path / name, environ)

    async def send(self, test: str, numbers: range, *, value: bytes | None = None) -> None:
        """Write a transition for each number."""
        async with AIOKafkaProducer(bootstrap_servers=self.up.kafka) as producer:
            for number in numbers:
                row = transition(test, number) if value is None else value
                await producer.send(topics.TRANSITIONS, row, key=b"k", partition=number % 4)

    async def count(self, test: str) -> tuple[int, int]:
        """Return how many rows the view and the storage hold of a test."""
        (row,) = await self.clickhouse.rows(
            "SELECT (SELECT count() FROM transitions WHERE org_id = {org:String}) AS seen,"
            " (SELECT uniqExact(message_id) FROM transitions_log WHERE org_id = {org:String}) AS stored",
            {"org": test},
        )
        return int(row["seen"]), int(row["stored"])

    async def until_count(self, test: str, number: int) -> None:
        found = (0, 0)
        try:
            async with asyncio.timeout(DEADLINE_S):
                while (found := await self.count(test)) != (number, number):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"{found} rows instead of {number}")


def transition(test: str, number: int) -> bytes:
    return orjson.dumps(
        {
            "org_id": test,
            "channel_id": "7",
            "session_id": "3",
            "message_id": str(number),
            "old_status": "",
            "new_status": "SENT",
            "updated_time": "2025-10-09T12:00:00.000Z",
            "event_time": None,
            "received_time": "2025-10-09T12:00:00.000Z",
            "time_source": "updated",
            "implied": 0,
            "out_of_order": False,
            "contradiction": False,
            "sent_to_delivered_ms": None,
            "delivered_to_read_ms": None,
            "raw_partition": number % 4,
            "raw_offset": number,
        }
    )


@pytest.fixture
async def bench(own: Up, tmp_path: Path) -> AsyncIterator[Bench]:
    database = f"sink_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": own.clickhouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(clickhouse, released())
        yield Bench(own, tmp_path, database, clickhouse)


async def test_a_sink_killed_at_any_boundary_of_a_batch_leaves_one_row_each(bench: Bench) -> None:
    random = Random(1)  # noqa: S311 -- repeatable, not secret
    sent = 0
    places = ["sink.inserting", "sink.inserted", "sink.committed"]
    for place in random.sample(places * 2, k=len(places) * 2):
        with bench.sink(failpoint=f"{place}:{random.randint(1, 3)}") as doomed:
            assert doomed.process is not None
            async with asyncio.timeout(DEADLINE_S):
                # One insert takes what waits in all partitions: only what comes later makes a second and a third.
                while doomed.process.poll() is None:
                    await bench.send("kill", range(sent, sent + 20))
                    sent += 20
                    await asyncio.sleep(0.2 * random.random())
            assert doomed.process.returncode == -signal.SIGKILL
    with bench.sink():
        await bench.until_count("kill", sent)
    (state,) = await bench.clickhouse.rows("SELECT count() AS rows, uniqExact(message_id) AS ids FROM message_state")
    assert state == {"rows": sent, "ids": sent}


async def test_a_row_that_is_refused_is_parked_and_its_neighbours_are_stored(bench: Bench) -> None:
    with bench.sink():
        await bench.send("poison", range(50))
        await bench.send("poison", range(2), value=b'{"org_id":"poison","updated_time":"never"}')
        await bench.send("poison", range(50, 100))
        await bench.until_count("poison", 100)
        async with asyncio.timeout(DEADLINE_S):
            dead: list[dict[str, Any]] = []
            while len(dead) < 2:
                dead = await bench.clickhouse.rows("SELECT * FROM dead_letters WHERE body LIKE '%poison%'")
                await asyncio.sleep(0.1)
    assert {(row["stage"], row["reason"], row["topic"]) for row in dead} == {("sink", "refused", topics.TRANSITIONS)}
    assert [row["body"] for row in dead] == ['{"org_id":"poison","updated_time":"never"}'] * 2


async def test_rows_wait_in_kafka_while_clickhouse_is_away(bench: Bench) -> None:
    async with proxy(bench.up.clickhouse) as gate:
        with bench.sink(clickhouse=gate.url) as sink:
            await bench.send("away", range(20))
            await bench.until_count("away", 20)
            gate.shut = True
            await bench.send("away", range(20, 60))
            async with asyncio.timeout(DEADLINE_S):
                while "warehouse_away" not in sink.log:
                    await asyncio.sleep(0.1)
            assert await bench.count("away") == (20, 20)
            gate.shut = False
            await bench.until_count("away", 60)


async def test_a_second_sink_takes_its_share_and_gives_it_back(bench: Bench) -> None:
    with bench.sink("a"):
        await bench.send("two", range(40))
        await bench.until_count("two", 40)
        with bench.sink("b") as second:
            await bench.send("two", range(40, 80))
            await bench.until_count("two", 80)
            async with asyncio.timeout(DEADLINE_S):
                while '"event":"assigned"' not in second.log:
                    await asyncio.sleep(0.1)
            await bench.send("two", range(80, 120))
            await bench.until_count("two", 120)
            assert second.end(signal.SIGTERM) == 0
        await bench.send("two", range(120, 160))
        await bench.until_count("two", 160)


async def test_a_sink_that_is_told_to_stop_stores_what_it_read(bench: Bench) -> None:
    with bench.sink() as sink:
        await bench.send("stop", range(40))
        await bench.until_count("stop", 40)
        assert sink.end(signal.SIGTERM) == 0


class Gate:
    """A TCP proxy that can be shut: what is open breaks, what comes is refused."""

    def __init__(self) -> None:
        self.shut = False
        self.url = ""


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Gate]:
    gate = Gate()
    host, port = target.removeprefix("http://").split(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if gate.shut:
                raise ClientConnectionError
            writer.write(data)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if gate.shut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        pumps = [asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield gate
