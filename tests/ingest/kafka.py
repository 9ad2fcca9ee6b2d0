"""A real Kafka of the tests' own, which they may stop, freeze and kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from sandbox.ports import free_port

START_TIMEOUT_S = 60.0


class Kafka:
    """One broker process on a port of its own; its data outlives the process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process unless it runs; it answers some seconds later."""
        if self._process is not None:
            return
        environ = {**os.environ, "STATE_DIR": str(self.home), "SANDBOX_KAFKA_PORT": str(self.port)}
        with (self.home / "broker.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "broker"], env=environ, stdout=output, stderr=output
            )

    async def wait(self) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self._process is not None
                    assert self._process.poll() is None, (self.home / "broker.log").read_text()[-2000:]
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the process, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


class Reader:
    """Reads what was added to a topic since the reader was made."""

    def __init__(self, bootstrap: str, topic: str, partitions: int = 4) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self._parts = [TopicPartition(topic, number) for number in range(partitions)]

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._parts)
        for part, offset in (await self._consumer.end_offsets(self._parts)).items():
            self._consumer.seek(part, offset)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> list[Any]:
        """Return all records that are there by now, in order within a partition."""
        ends = await self._consumer.end_offsets(self._parts)
        records: list[Any] = []
        async with asyncio.timeout(30):
            while any([await self._consumer.position(part) < end for part, end in ends.items()]):
                for batch in (await self._consumer.getmany(timeout_ms=200)).values():
                    records += batch
        return records
