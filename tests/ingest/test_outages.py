"""Nothing that was answered with 200 is ever lost: Kafka frozen, killed, away at the start; the ingress killed."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import orjson
import pytest

from ingest import drain
from schemas import topics
from tests.ingest.conftest import SECRET, Client, client_of, prepare, settings_for
from tests.ingest.kafka import Kafka, Reader
from tests.ingest.process import Process
from tests.ingest.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Start a broker that tests may stop and freeze."""
    broker = Kafka(tmp_path_factory.mktemp("outages"))
    broker.start()
    try:
        asyncio.run(prepare(broker))
        yield broker
    finally:
        broker.stop()


@pytest.fixture
async def broker(shared: Kafka) -> AsyncIterator[Kafka]:
    """Give a broker that runs, whatever the test before did to it."""
    shared.start()
    await shared.wait()
    yield shared
    shared.start()
    shared.send(signal.SIGCONT)


class Load:
    """Posts events of ever new messages, several a key, and remembers which were answered with 200."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.kept: list[tuple[str, int]] = []
        self.refused: Counter[int] = Counter()
        self.slowest_s = 0.0
        self._numbers = itertools.count()
        self._stop = False

    def body(self, key: str, number: int) -> bytes:
        return orjson.dumps([{"eventType": "New", "orgId": key, "n": number}])

    async def worker(self, key: str) -> None:
        """Send one event after the other, as one sender of Zoho's would."""
        while not self._stop:
            number = next(self._numbers)
            begun = monotonic()
            try:
                status, _ = await self.client.post(self.body(key, number))
            except aiohttp.ClientError:
                status = 0
            self.slowest_s = max(self.slowest_s, monotonic() - begun)
            if status == 200:
                self.kept.append((key, number))
            else:
                self.refused[status] += 1
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def running(self, workers: int = 8) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self.worker(f"{self.name}-{number}"))
            try:
                yield
            finally:
                self._stop = True

    async def more(self, count: int) -> None:
        """Wait until that many more events were kept."""
        goal = len(self.kept) + count
        await until(lambda: len(self.kept) >= goal)


def arrived(records: list[object]) -> list[tuple[str, int]]:
    """Return the events of records in their order."""
    values = [orjson.loads(record.value) for record in records]  # type: ignore[attr-defined]
    return [(value["orgId"], value["n"]) for value in values]


def order_held(events: list[tuple[str, int]]) -> bool:
    """Tell whether the first copies of each key's events are in the order in which they were sent."""
    last: dict[str, int] = {}
    for key, number in dict.fromkeys(events):
        if number < last.get(key, -1):
            return False
        last[key] = number
    return True


async def test_a_frozen_kafka_costs_no_event_no_order_and_no_second_copy(broker: Kafka, tmp_path: Path) -> None:
    settings = settings_for(broker.bootstrap, tmp_path, INGEST_ACK_TIMEOUT_MS="300")
    async with Reader(broker.bootstrap, topics.RAW) as raw, client_of(settings) as client:
        await client.until_via("kafka")
        load = Load(client, "frozen")
        async with load.running():
            await load.more(200)
            broker.send(signal.SIGSTOP)
            await load.more(500)
            readiness = await client.readiness()
            assert (readiness["ready"], readiness["via"], readiness["kafka"]) == (True, "spool", "slow")
            broker.send(signal.SIGCONT)
            await client.until_via("kafka")
            await load.more(200)
        assert load.refused == {}
        assert load.slowest_s < 5
        events = arrived(await raw.read())
    assert Counter(events) == Counter(load.kept)
    assert order_held(events)


async def test_a_killed_kafka_costs_no_event(broker: Kafka, tmp_path: Path) -> None:
    settings = settings_for(broker.bootstrap, tmp_path, INGEST_ACK_TIMEOUT_MS="300")
    async with Reader(broker.bootstrap, topics.RAW) as raw, client_of(settings) as client:
        await client.until_via("kafka")
        load = Load(client, "killed")
        async with load.running():
            for _ in range(2):
                await load.more(200)
                broker.stop(signal.SIGKILL)
                await load.more(500)
                assert (await client.readiness())["via"] == "spool"
                broker.start()
                await broker.wait()
                await client.until_via("kafka")
            await load.more(200)
        assert load.refused == {}
        assert load.slowest_s < 5
        events = arrived(await raw.read())
    assert set(events) >= set(load.kept)
    assert order_held(events)


async def test_a_kafka_that_is_away_at_the_start_is_waited_for(broker: Kafka, tmp_path: Path) -> None:
    async with Reader(broker.bootstrap, topics.RAW) as raw:
        broker.stop()
        async with client_of(settings_for(broker.bootstrap, tmp_path)) as client:
            load = Load(client, "away")
            async with load.running():
                await load.more(300)
                assert (await client.readiness())["kafka"] == "away"
                broker.start()
                await broker.wait()
                await client.until_via("kafka")
                await load.more(50)
            assert load.refused == {}
            records = await raw.read()
    events = arrived(records)
    assert Counter(events) == Counter(load.kept)
    assert order_held(events)
    assert {dict(record.headers)["source"] for record in records} == {b"spool", b"webhook"}


async def test_what_one_process_left_in_the_spool_the_next_one_sends(broker: Kafka, tmp_path: Path) -> None:
    async with Reader(broker.bootstrap, topics.RAW) as raw:
        broker.send(signal.SIGSTOP)
        async with client_of(settings_for("127.0.0.1:1", tmp_path)) as client:
            assert await client.post(b'[{"eventType":"New","orgId":"left","n":1}, 7]') == (
                200,
                {"accepted": 1, "parked": 1},
            )
            status, answer = await client.post(b"nope")
            assert (status, answer["error"]["code"]) == (400, "not_json")
        broker.send(signal.SIGCONT)
        async with client_of(settings_for(broker.bootstrap, tmp_path)) as client:
            await client.until_via("kafka")
            await until(lambda: not list(tmp_path.rglob("*.segment")))
            assert arrived(await raw.read()) == [("left", 1)]


async def test_a_full_spool_says_so_and_takes_events_again_when_kafka_is_back(broker: Kafka, tmp_path: Path) -> None:
    settings = settings_for(
        broker.bootstrap, tmp_path, SPOOL_MAX_BYTES=str(2**20), INGEST_ACK_TIMEOUT_MS="200", INGEST_PATH_SECRETS=SECRET
    )
    large = orjson.dumps({"eventType": "New", "orgId": "full", "x": "y" * 300_000})
    async with Reader(broker.bootstrap, topics.RAW) as raw, client_of(settings) as client:
        await client.until_via("kafka")
        broker.send(signal.SIGSTOP)
        answers = [await client.post(large) for _ in range(6)]
        statuses = [status for status, _ in answers]
        kept = statuses.count(200)
        assert statuses == [200] * kept + [503] * (6 - kept)
        assert 2 <= kept <= 3
        assert answers[-1][1]["error"]["code"] == "unavailable"
        async with aiohttp.request("POST", client.url, data=large) as response:
            assert int(response.headers["Retry-After"]) > 0
        small = await client.post(b'[{"eventType":"New","orgId":"full"}]')
        assert small[0] == 200, "what still fits is still taken"
        broker.send(signal.SIGCONT)
        await client.until_via("kafka")
        assert (await client.post(large))[0] == 200
        assert len(await raw.read()) == kept + 2


async def test_a_disk_that_cannot_be_written_is_said_and_kafka_still_used(broker: Kafka, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the spool's folder should be")
    settings = settings_for(broker.bootstrap, tmp_path, INGEST_ACK_TIMEOUT_MS="200")
    async with client_of(settings) as client:
        await client.until_via("kafka")
        assert (await client.post(b'[{"eventType":"New"}]'))[0] == 200
        broker.send(signal.SIGSTOP)
        assert (await client.post(b'[{"eventType":"New"}]'))[0] == 503
        readiness = await client.readiness()
        assert readiness["ready"] is False
        assert readiness["reason"]
        assert readiness["spool"]["fault"]
        broker.send(signal.SIGCONT)
        await client.until_via("kafka")
        (tmp_path / "spool").unlink()
        broker.send(signal.SIGSTOP)
        assert (await client.post(b'[{"eventType":"New"}]'))[0] == 200
        broker.send(signal.SIGCONT)


async def test_an_ingress_that_is_killed_again_and_again_loses_nothing(broker: Kafka, tmp_path: Path) -> None:
    kept: list[tuple[str, int]] = []
    async with Reader(broker.bootstrap, topics.RAW) as raw:
        for number in range(4):
            away = number % 2 == 0
            process = Process("127.0.0.1:1" if away else broker.bootstrap, tmp_path, INGEST_ACK_TIMEOUT_MS="300")
            async with process.client() as client:
                load = Load(client, f"kill{number}")
                async with load.running():
                    await load.more(300 + 37 * number)
                    assert process.end(signal.SIGKILL) == -signal.SIGKILL
                kept += load.kept
        process = Process(broker.bootstrap, tmp_path)
        async with process.client() as client:
            await client.until_via("kafka")
            await until(lambda: not list(tmp_path.rglob("*.segment")))
            assert process.end(signal.SIGTERM) == 0
        events = arrived(await raw.read())
    assert set(events) >= set(kept)


async def test_what_a_vanished_worker_left_behind_is_sent_by_another(
    broker: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "ADOPT_EVERY_S", 0.05)
    gone = [Process("127.0.0.1:1", tmp_path) for _ in range(2)]
    for number, process in enumerate(gone):
        async with process.client() as client:
            assert (await client.post(b'[{"eventType":"New","orgId":"gone","n":%d}]' % number))[0] == 200
    async with (
        Reader(broker.bootstrap, topics.RAW) as raw,
        client_of(settings_for(broker.bootstrap, tmp_path)) as client,
    ):
        await client.until_via("kafka")
        assert await raw.read() == [], "their owners live"
        for process in gone:
            process.end(signal.SIGKILL)
        await until(lambda: not list(tmp_path.rglob("*.segment")))
        assert sorted(arrived(await raw.read())) == [("gone", 0), ("gone", 1)]


async def test_a_stop_answers_what_was_accepted_and_then_ends(broker: Kafka, tmp_path: Path) -> None:
    process = Process(broker.bootstrap, tmp_path, INGEST_ACK_TIMEOUT_MS="1500")
    async with Reader(broker.bootstrap, topics.RAW) as raw, process.client() as client:
        await client.until_via("kafka")
        broker.send(signal.SIGSTOP)
        calls = [asyncio.create_task(client.post(b'[{"eventType":"New","orgId":"stop","n":%d}]' % n)) for n in range(5)]

        async def all_in() -> bool:
            async with aiohttp.request("GET", client.root + "/metrics") as response:
                return "receipts_ingest_in_flight_requests 5.0" in await response.text()

        await until(all_in)
        process.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        answers = await asyncio.gather(*calls)
        assert [status for status, _ in answers] == [200] * 5
        assert await asyncio.to_thread(process.process.wait, 20) == 0
        broker.send(signal.SIGCONT)
        process = Process(broker.bootstrap, tmp_path)
        async with process.client() as again:
            await again.until_via("kafka")
            await until(lambda: not list(tmp_path.rglob("*.segment")))
        assert process.end(signal.SIGTERM) == 0
        assert set(arrived(await raw.read())) == {("stop", n) for n in range(5)}


async def test_a_topic_with_other_partitions_refuses_to_run(broker: Kafka, tmp_path: Path) -> None:
    process = Process(broker.bootstrap, tmp_path, RAW_PARTITIONS="3")
    assert await asyncio.to_thread(process.process.wait, 20) == 2
    text = process.log.read_text()
    assert "RAW_PARTITIONS" in text
    assert "Traceback" not in text


async def test_a_port_in_use_refuses_to_run(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = Process("127.0.0.1:1", tmp_path, INGEST_PORT=str(port))
        assert await asyncio.to_thread(process.process.wait, 20) == 2
        assert f"INGEST_PORT={port}" in process.log.read_text()
