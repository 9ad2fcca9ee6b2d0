"""Three brokers: what was answered 200 outlives the loss of any one of them, data and all."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from sandbox.answer_key.collect import collect
from tests.stack import FREE_PORTS, Up, no_roles, run, until

pytestmark = pytest.mark.stack
THREE = {"SANDBOX_BROKERS": "3"}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Three brokers and an ingress."""
    with Up(tmp_path_factory.mktemp("three"), THREE, no_roles("ingest")) as up:
        yield up


def test_every_topic_has_three_replicas_two_of_them_in_sync(three: Up) -> None:
    """Changelogs and the groups' offsets included."""
    shapes, least = asyncio.run(_topics(three.kafka))
    assert "receipts-messages-changelog" in shapes
    assert set(shapes.values()) == {3}
    assert set(least.values()) == {"2"}


def test_what_was_answered_outlives_the_loss_of_brokers_one_after_the_other(three: Up) -> None:
    """Each of two brokers dies and loses its disk; between the two losses the first one catches up."""
    sent = [_event(number) for number in range(30)]
    for body in sent[:10]:
        _post(three, body)
    _lose(three, "broker-2")
    for body in sent[10:20]:
        _post(three, body)
    until(lambda: three.ps()["broker-2"]["state"] == "running", within_s=60, what="the lost broker, with a new disk")
    until(lambda: asyncio.run(_in_sync(three.kafka)) == 3, within_s=60, what="three replicas in sync")
    _lose(three, "broker")
    for body in sent[20:]:
        _post(three, body)

    def all_there() -> bool:
        return {record.value for record in asyncio.run(collect(three.kafka))} == set(sent)

    until(all_there, within_s=60, what="every event that was answered 200")


def test_the_number_of_brokers_stays(three: Up) -> None:
    """A directory that holds the data of three is not served by one, though the first of them has lost its disk."""
    three.stop()
    (three.state_dir / "kafka" / "formatted").unlink(missing_ok=True)
    done = run("up", "--brokers", "1", "--state-dir", str(three.state_dir), environ=FREE_PORTS)
    assert done.returncode == 2
    assert "Set SANDBOX_BROKERS=3" in done.stderr


def test_there_is_but_one_broker_in_memory(tmp_path: Path) -> None:
    """Nothing in memory is replicated: that is refused, not feigned."""
    environ = {**FREE_PORTS, **THREE, "SANDBOX_BROKER": "memory"}
    done = run("up", "--state-dir", str(tmp_path), environ=environ)
    assert done.returncode == 2
    assert "Set SANDBOX_BROKERS=1" in done.stderr


def _event(number: int) -> bytes:
    return b'{"eventType":"IM_Other","orgId":"7","payload":{"sessionId":"%d"}}' % number


def _post(up: Up, body: bytes) -> None:
    request = urllib.request.Request(f"{up.ingest}/webhooks/zoho-desk", data=b"[%s]" % body)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def _lose(up: Up, name: str) -> None:
    """Kill a broker and take its disk away; the supervision gives it a new one."""
    pid = up.ps()[name]["pid"]
    home = up.state_dir / ("" if name == "broker" else name) / "kafka"
    os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(home / "data")
    (home / "formatted").unlink()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid), what="the end of the broker")


async def _topics(bootstrap: str) -> tuple[dict[str, int], dict[str, str]]:
    """Return each topic's least number of replicas, and how many of them must have a record."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = list(await admin.list_topics())
        described = await admin.describe_topics(names)
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        answers = [each for answer in await admin.describe_configs(asked) for each in answer.resources]
    finally:
        await admin.close()
    shapes = {each["topic"]: min(len(part["replicas"]) for part in each["partitions"]) for each in described}
    least = {each[3]: entry[1] for each in answers for entry in each[4] if entry[0] == "min.insync.replicas"}
    return shapes, least


async def _in_sync(bootstrap: str) -> int:
    """Return how many replicas the worst partition of any topic has in sync."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(list(await admin.list_topics()))
    finally:
        await admin.close()
    return min(len(part["isr"]) for each in described for part in each["partitions"])
