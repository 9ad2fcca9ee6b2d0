"""The warehouse as a process: what a kill leaves, how it ends, whom it serves, how much it takes on."""

from __future__ import annotations

import asyncio
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sandbox.ports import free_port
from sandbox.warehouse.engine import Answer, Request
from sandbox.warehouse.front import MOST_AT_ONCE, Warehouse, serving
from tests.sandbox.role import Role
from tests.stack import until

pytestmark = pytest.mark.stack
TABLE = "CREATE TABLE default.t (id UInt64) ENGINE = MergeTree ORDER BY id"


def test_acknowledged_rows_survive_a_kill(tmp_path: Path) -> None:
    """Every insert that was answered is there after SIGKILL; what was under way is there whole or not at all."""
    acknowledged: list[int] = []
    with Role("warehouse", tmp_path) as role:
        role.answering().sql(TABLE)

        def insert() -> None:
            for number in range(100_000):
                rows = "".join(f"({number * 10 + i})" for i in range(10))
                try:
                    role.sql(f"INSERT INTO default.t VALUES {rows}")
                except OSError:
                    return
                acknowledged.append(number)

        writer = threading.Thread(target=insert)
        writer.start()
        until(lambda: len(acknowledged) > 50, what="fifty inserts")
        role.end(signal.SIGKILL)
        writer.join()
    with Role("warehouse", tmp_path) as role:
        found = {int(line) for line in role.answering().sql("SELECT id FROM default.t").split()}
    whole = {id_ // 10 for id_ in found}
    assert set(acknowledged) <= whole
    assert len(found) == 10 * len(whole)


def test_sigterm_lets_a_statement_end(tmp_path: Path) -> None:
    """A statement under way at SIGTERM is answered; then the process ends with 0."""
    answers: list[str] = []
    with Role("warehouse", tmp_path) as role:
        role.answering()
        asking = threading.Thread(target=lambda: answers.append(role.sql("SELECT sleep(1.5), 7")))
        asking.start()
        running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(1.5)%'"
        until(lambda: role.sql(running) == "1\n", what="the statement under way")
        assert role.end(signal.SIGTERM) == 0
        asking.join()
        assert answers == ["0\t7\n"]
        assert '"event":"closed"' in role.log


def test_one_warehouse_a_directory(tmp_path: Path) -> None:
    """A second process on the same data waits for the first to be gone."""
    with Role("warehouse", tmp_path) as first:
        first.answering()
        with Role("warehouse", tmp_path) as second:
            with pytest.raises(OSError, match="refused"):
                urllib.request.urlopen(f"{second.url}/ping", timeout=5)
            assert first.end(signal.SIGTERM) == 0
            second.answering()


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """A port that another program has ends the process with exit code 2 and the fix."""
    with Role("warehouse", tmp_path / "a") as first:
        first.answering()
        with Role("warehouse", tmp_path / "b", port=first.port) as second:
            assert second.process is not None
            assert second.process.wait(30) == 2
            assert "SANDBOX_CLICKHOUSE_PORT=" in second.log
            assert "Traceback" not in second.log


class _Slow:
    """An engine whose statements wait until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def run(self, request: Request) -> Answer:
        self.go.wait(30)
        return Answer(b"1\n", "TabSeparated")


@pytest.fixture
async def front() -> AsyncIterator[tuple[str, _Slow]]:
    engine = _Slow()
    async with serving(Warehouse(engine), free_port()) as port:
        yield f"http://127.0.0.1:{port}", engine
        engine.go.set()


async def test_more_statements_than_allowed_are_refused(front: tuple[str, _Slow]) -> None:
    """Beyond the limit a statement is refused at once with ClickHouse's code; the others are answered."""
    url, engine = front
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask() -> int:
            async with session.post(url, data=b"SELECT 1") as answer:
                code = answer.headers.get("X-ClickHouse-Exception-Code", "0")
                if code != "0":
                    engine.go.set()
                return int(code)

        codes = await asyncio.gather(*(ask() for _ in range(MOST_AT_ONCE + 5)))
    assert sorted(codes) == [0] * MOST_AT_ONCE + [202] * 5


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_web_pages_are_not_served(front: tuple[str, _Slow], headers: dict[str, str]) -> None:
    """What a browser sends for a web page is refused: no password guards the data."""
    url, engine = front
    engine.go.set()
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=b"SELECT 1", headers=headers) as answer:
            assert answer.status == 403
        async with session.post(url, data=b"SELECT 1", headers={"Origin": "http://localhost:3000"}) as answer:
            assert answer.status == 200
