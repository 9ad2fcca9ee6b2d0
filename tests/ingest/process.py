"""An ingress in a process of its own, as it runs in production."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiohttp

from sandbox.ports import free_port
from tests.ingest.conftest import SECRET, Client
from tests.ingest.waiting import until


class Process:
    """`receipts ingest` in a process of its own."""

    def __init__(self, bootstrap: str, state_dir: Path, port: str = "", **changes: str) -> None:
        self.port = int(port or free_port())
        environ = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "INGEST_PORT": str(self.port),
            "INGEST_PATH_SECRETS": SECRET,
            "STATE_DIR": str(state_dir),
            **changes,
        }
        fd, name = tempfile.mkstemp(dir=state_dir, suffix=".log")
        self.log = Path(name)
        with os.fdopen(fd, "wb") as output:
            self.process = subprocess.Popen([sys.executable, "-m", "cli.main", "ingest"], env=environ, stderr=output)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with aiohttp.ClientSession() as session:
            client = Client(session, self.port)

            async def up() -> bool:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    return (await client.call("GET", client.root + "/healthz"))[0] == 200
                except aiohttp.ClientError:
                    return False

            await until(up)
            yield client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """See that it is gone, whatever became of the test."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)
