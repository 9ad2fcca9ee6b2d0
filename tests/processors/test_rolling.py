"""A rolling upgrade: processors replaced one at a time under load; and a changelog that a newer release wrote."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from core.clock import now_ms
from processors import codec
from sandbox.simulator import Traffic, events
from sandbox.simulator.direct import load
from schemas import topics
from tests.processors.test_crash_points import settle
from tests.sandbox.role import Role
from tests.stack import Up, no_roles, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

PORTION = 100
"""Records that are written at once, some ten times a second, until all processors are replaced."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a Kafka with the pipeline's topics and no role but ours."""
    with Up(tmp_path_factory.mktemp("rolling"), scale=no_roles()) as up:
        yield up


def processor(up: Up, folder: Path, name: str, **more: str) -> Role:
    """Return a processor to be started: its name and its state directory outlive its process, as in deploy/."""
    environ = {"KAFKA_BOOTSTRAP_SERVERS": up.kafka, "INSTANCE_ID": name, "METRICS_PORT": "0", **more}
    return Role("processor", folder / name, environ)


async def replaced(up: Up, folder: Path, old: Role, name: str, **more: str) -> Role:
    """Stop a processor in order and start the next release of it."""
    assert await asyncio.to_thread(old.end, signal.SIGTERM) == 0, old.log
    started = old.log.count("processor_started")
    new = processor(up, folder, name, **more).__enter__()
    await asyncio.to_thread(until, lambda: new.log.count("processor_started") > started, what=f"the next {name}")
    return new


async def test_processors_replaced_one_at_a_time_under_load_lose_and_double_nothing(alone: Up, tmp_path: Path) -> None:
    store = "rocksdb"
    traffic = Traffic(now_ms=now_ms(), messages=4000, duplicates=0.1, reorder=0.1, missing=0.1, seed=len(store))
    every = [event for event in events(traffic) if event.kind]
    names = ("p-1", "p-2")
    roles = {name: processor(alone, tmp_path, name, STATE_STORE=store).__enter__() for name in names}
    loaded = 0

    all_replaced = asyncio.Event()

    async def keep_loading() -> None:
        nonlocal loaded
        while not all_replaced.is_set():
            loaded += await load(alone.kafka, every[loaded : loaded + PORTION])
            await asyncio.sleep(0.1)
        await load(alone.kafka, every[loaded:])

    loading = asyncio.create_task(keep_loading())
    try:
        for role in roles.values():
            await asyncio.to_thread(until, lambda role=role: "processor_started" in role.log)
        for name in names:
            # The next release may write its batches otherwise: both must be read by both.
            roles[name] = await replaced(
                alone, tmp_path, roles[name], name, STATE_STORE=store, PROCESSOR_COMPRESSION="none"
            )
            assert loaded < len(every), "the load ended before the last processor was replaced"
        all_replaced.set()
        await loading
        await settle(alone)
    finally:
        all_replaced.set()
        await asyncio.gather(loading, return_exceptions=True)
        for role in roles.values():
            role.end(signal.SIGTERM)


async def test_a_changelog_of_a_newer_release_stops_the_processor_before_it_does_anything(
    alone: Up, tmp_path: Path
) -> None:
    value = codec.encode_fact(1, 2, 3, "4", "5").replace(b"%d," % codec.VERSION, b"%d," % (codec.VERSION + 1), 1)
    async with AIOKafkaProducer(bootstrap_servers=alone.kafka) as producer:
        changelog = topics.changelog(topics.MESSAGES_TABLE)
        await producer.send_and_wait(changelog, value, key=codec.fact_key("1", "new", "SENT"), partition=0)
    with processor(alone, tmp_path, "p-1") as role:
        assert role.process is not None
        assert await asyncio.to_thread(role.process.wait, 30) != 0
        assert "the messages changelog holds a record of an unknown format" in role.log
