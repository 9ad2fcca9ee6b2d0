"""The stack as a library: what it tells, and what it does with a process that hangs or floods its log."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.errors import ReceiptstreamError, StateDirInUseError
from sandbox import child, endpoints, probes, stack
from sandbox.stack import Stack
from tests.stack import FREE_PORTS

pytestmark = pytest.mark.stack
ENVIRON = {**FREE_PORTS, "PATH": os.environ["PATH"]}


async def _until(ask: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not ask():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.05)


@pytest.fixture
async def warehouse_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    """Run a stack of one process, which is looked at often."""
    monkeypatch.setattr(stack, "WATCH_S", 0.25)
    monkeypatch.setattr(stack, "HUNG_PROBES", 2)
    monkeypatch.setattr(probes, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(child, "LOG_BYTES", 10_000)
    async with Stack(tmp_path, environ=ENVIRON, roles={"warehouse"}) as running:
        yield running


async def test_what_it_tells(warehouse_only: Stack, tmp_path: Path) -> None:
    """It names what it started, writes it where commands look, and forgets it when it ends."""
    assert warehouse_only.environ == {"CLICKHOUSE_URL": warehouse_only.clickhouse_url}
    assert endpoints.read(tmp_path) == warehouse_only.environ
    assert warehouse_only.pids().keys() == {"warehouse"}
    assert (warehouse_only.kafka_bootstrap, warehouse_only.ingest_url) == ("", "")
    with pytest.raises(StateDirInUseError, match=str(os.getpid())):
        await Stack(tmp_path, environ=ENVIRON, roles={"warehouse"}).start()
    pids = warehouse_only.pids()
    await warehouse_only.stop()
    assert not psutil.pid_exists(pids["warehouse"])
    assert endpoints.read(tmp_path) == {}


async def test_a_crash_is_mended(warehouse_only: Stack) -> None:
    """A killed instance is another process at the same address a moment later."""
    url, before = warehouse_only.clickhouse_url, warehouse_only.kill("warehouse")
    await _until(lambda: warehouse_only.pids().get("warehouse", before) != before)
    await warehouse_only.wait_ready()
    assert warehouse_only.clickhouse_url == url
    assert warehouse_only.rows()[0].restarts == 1


async def test_a_hung_process_is_replaced(warehouse_only: Stack) -> None:
    """A process that answers nothing for long is killed and started again."""
    before = warehouse_only.pids()["warehouse"]
    os.kill(before, signal.SIGSTOP)
    await _until(lambda: warehouse_only.pids().get("warehouse", before) != before)
    await warehouse_only.wait_ready()


async def test_a_log_stays_bounded(warehouse_only: Stack, tmp_path: Path) -> None:
    """A log that grows past its bound is cut, its older part kept."""
    log = tmp_path / "logs" / "warehouse.log"
    with log.open("a") as file:
        file.write("x" * 20_000)
    await _until(lambda: log.stat().st_size < 10_000)
    assert log.with_suffix(".log.1").stat().st_size >= 20_000


async def test_default_ports_give_way(tmp_path: Path) -> None:
    """A default port that another program has is replaced by a free one, and the stack says so."""
    with socket.socket() as server:
        with suppress(OSError):  # then another program has it already
            server.bind(("127.0.0.1", 8123))
            server.listen()
        environ = {**ENVIRON, "SANDBOX_CLICKHOUSE_PORT": ""}
        async with Stack(tmp_path, environ=environ, roles={"warehouse"}) as running:
            assert [note for note in running.moved if note.startswith("SANDBOX_CLICKHOUSE_PORT is ")]
            assert not running.clickhouse_url.endswith(":8123")


async def test_a_command_that_fails_ends_the_start(tmp_path: Path) -> None:
    """When the topics cannot be made the start fails with that command's reason, and nothing is left running."""
    environ = {**ENVIRON, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "CLICKHOUSE_URL": "http://127.0.0.1:9"}
    with pytest.raises(ReceiptstreamError, match=r"`receipts (topics|migrate)` failed: .*127\.0\.0\.1:9"):
        async with Stack(tmp_path, environ=environ):
            pass
