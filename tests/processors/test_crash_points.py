"""A processor killed at each of its failpoints, on a real broker: the topics end equal to the answer key."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from core import failpoints
from core.clock import now_ms
from core.kafka import partition_of
from processors.batched.app import EXIT_FAILED
from sandbox.answer_key import answer, compare, describe
from sandbox.answer_key.collect import collect
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from schemas import topics
from schemas.times import to_iso
from tests.processors.test_batched import read
from tests.stack import Up, clean_environ, no_roles, run

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PARTITIONS = 4
DEADLINE_S = 90
STORES = ["memory", "rocksdb"]
PROCESSOR_POINTS = [name for name in failpoints.NAMES if not name.startswith(("sink.", "notifier."))]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a Kafka with the pipeline's topics and no role but ours: its raw topic must hold nothing else."""
    with Up(tmp_path_factory.mktemp("crash"), scale=no_roles()) as up:
        yield up


@asynccontextmanager
async def processor(
    up: Up, tmp_path: Path, failpoint: str = "", stall: str = "", store: str = "memory"
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run the processor role; killed at the end unless it has died."""
    environ = clean_environ(
        {
            "KAFKA_BOOTSTRAP_SERVERS": up.kafka,
            "STATE_DIR": str(tmp_path),
            "STATE_STORE": store,
            "FAILPOINT": failpoint,
            "PROCESSOR_CHECKPOINT": "50ms",
            "PROCESSOR_STALL": stall,
            "INSTANCE_ID": "crash",
            "METRICS_PORT": "0",
        }
    )
    with (tmp_path / "processor.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "cli.main", "processor"], env=environ, stderr=log)  # noqa: ASYNC220
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def produce(up: Up, round_: int) -> None:
    """Write a hundred receipts of 20 messages: in order, doubled, and told late."""
    now = now_ms()
    async with AIOKafkaProducer(bootstrap_servers=up.kafka) as producer:
        for number in range(100):
            message = f"{round_}000{number % 20}"
            status = ("SENT", "READ", "DELIVERED", "SENT", "FAILED")[number // 20]
            value = {
                "payload": {
                    "messageOldStatus": "SENT",
                    "messageNewStatus": {"updatedTime": to_iso(now - 5000 + number * 7), "status": status},
                    "messageId": int(message),
                    "channelId": number % 3,
                },
                "eventType": "IM_Message_Status",
                "orgId": "1",
            }
            await producer.send(
                topics.RAW,
                orjson.dumps(value),
                key=message.encode(),
                partition=partition_of(message.encode(), PARTITIONS),
                headers=[("received", str(now).encode())],
            )


async def published(up: Up) -> dict[str, list[dict[str, object]]]:
    """Return what a reader of the topics sees: of each identity the row that holds."""
    transitions: dict[tuple[object, ...], dict[str, object]] = {}
    windows: dict[tuple[object, ...], dict[str, object]] = {}
    for partition in range(PARTITIONS):
        for record in await read(up.kafka, topics.TRANSITIONS, partition):
            row = orjson.loads(record.value)
            identity = (row["org_id"], row["message_id"], row["new_status"])
            if identity not in transitions or row["raw_offset"] < transitions[identity]["raw_offset"]:
                transitions[identity] = row
        for record in await read(up.kafka, topics.WINDOWS, partition):
            row = orjson.loads(record.value)
            identity = (row["org_id"], row["channel_id"], row["window_start"])
            if identity not in windows or row["version"] >= windows[identity]["version"]:
                windows[identity] = row
    return {"transitions": list(transitions.values()), "channel_windows": list(windows.values())}


async def settle(up: Up) -> None:
    """Wait until the topics hold what the answer key says."""
    key = answer(await collect(up.kafka))
    expected = {name: key.tables[name] for name in ("transitions", "channel_windows")}
    text = "nothing was read"
    try:
        async with asyncio.timeout(DEADLINE_S):
            while text:
                differences = compare(expected, msgspec.convert(await published(up), type(expected)))
                text = describe(differences) if differences else ""
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(text)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("point", PROCESSOR_POINTS)
async def test_a_processor_killed_there_loses_and_doubles_nothing(
    own: Up, tmp_path: Path, point: str, store: str
) -> None:
    round_ = 1 + PROCESSOR_POINTS.index(point) + len(PROCESSOR_POINTS) * STORES.index(store)
    if point == "table.restored":
        # There must be something to restore that is not on the doomed process's own disk.
        async with processor(own, tmp_path):
            await produce(own, 100 + round_)
            await settle(own)
    await produce(own, round_)
    async with processor(own, tmp_path, failpoint=f"{point}:2", store=store) as doomed:
        async with asyncio.timeout(DEADLINE_S):
            while doomed.poll() is None:
                await asyncio.sleep(0.05)
                await produce(own, 200 + round_)
    assert doomed.returncode == -signal.SIGKILL
    async with processor(own, tmp_path, store=store):
        await settle(own)


async def test_a_processor_that_is_told_to_stop_commits_what_it_did(own: Up, tmp_path: Path) -> None:
    await produce(own, 300)
    async with processor(own, tmp_path) as process:
        await settle(own)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            while process.poll() is None:
                await asyncio.sleep(0.05)
    assert process.returncode == os.EX_OK


async def test_a_processor_that_gets_nothing_done_ends_itself(own: Up, tmp_path: Path) -> None:
    broker = int(own.ps()["broker"]["pid"])
    traffic = Traffic(now_ms=now_ms(), messages=40_000, siblings=False)
    await load(own.kafka, events(traffic))
    async with (
        AIOKafkaConsumer(bootstrap_servers=own.kafka) as reader,
        processor(own, tmp_path, stall="2s") as process,
        asyncio.timeout(DEADLINE_S),
    ):
        parts = [TopicPartition(topics.TRANSITIONS, each) for each in range(PARTITIONS)]
        before = await reader.end_offsets(parts)
        # At its first write, before it has done all.
        while await reader.end_offsets(parts) == before:
            await asyncio.sleep(0.01)
        os.kill(broker, signal.SIGSTOP)
        try:
            while process.poll() is None:
                await asyncio.sleep(0.05)
        finally:
            os.kill(broker, signal.SIGCONT)
    assert process.returncode == EXIT_FAILED
    assert "processor_stalled" in (tmp_path / "processor.log").read_text()


def test_a_processor_refuses_topics_of_another_number_of_partitions(own: Up, tmp_path: Path) -> None:
    other = {"KAFKA_BOOTSTRAP_SERVERS": own.kafka, "STATE_DIR": str(tmp_path), "RAW_PARTITIONS": "7"}
    done = run("processor", environ=other)
    assert done.returncode == 2, done.stderr
    assert "im.events.raw" in done.stderr
    assert "RAW_PARTITIONS" in done.stderr
