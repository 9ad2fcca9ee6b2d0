"""A database filled by hand, and dashboards that look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from core.clickhouse import HttpClickHouse, connect
from core.clock import now_ms
from core.settings import Settings, parse
from sinks.migrate import migrate, released
from tests.dashboard.data import Rows, fill
from tests.dashboard.process import Dashboard

TOKEN = "a token of these tests"
NO_INGRESS = "http://127.0.0.1:1"


@dataclass
class Filled:
    """The database: where it is, and its rows by any query."""

    settings: Settings
    environ: dict[str, str]
    rows_made: Rows

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Ask the warehouse itself."""

        async def ask(clickhouse: HttpClickHouse) -> list[dict[str, Any]]:
            return await clickhouse.rows(sql)

        found: list[dict[str, Any]] = self._with(ask)
        return found

    def send(self) -> None:
        """Insert what has been added to `rows_made`."""
        self._with(self.rows_made.insert)

    def _with(self, work: Any) -> Any:
        async def run() -> Any:
            async with connect(self.settings) as clickhouse:
                return await work(clickhouse)

        # A browser test's loop runs in this thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()


@pytest.fixture(scope="session")
def filled(kafka: str, warehouse: str) -> Filled:
    """Make a database and fill it."""
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "CLICKHOUSE_URL": warehouse,
        "CLICKHOUSE_DATABASE": f"dashboard_{uuid4().hex[:8]}",
    }
    settings = parse(environ)
    made = Filled(settings, environ, Rows(now_ms()))

    async def create() -> None:
        async with connect(settings, database="default") as server:
            await server.command(f"CREATE DATABASE {settings.clickhouse_database}")
        async with connect(settings) as clickhouse:
            await migrate(clickhouse, released())

    asyncio.run(create())
    fill(made.rows_made)
    made.send()
    return made


@pytest.fixture(scope="session")
def dashboard(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Run a dashboard without a token, as on one's own machine."""
    with Dashboard(tmp_path_factory.mktemp("dashboard"), filled.environ) as running:
        yield running
        assert running.stop() == 0, running.log
        assert "Traceback" not in running.log


@pytest.fixture(scope="session")
def guarded(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Run a dashboard with a token."""
    with Dashboard(
        tmp_path_factory.mktemp("guarded"),
        {**filled.environ, "DASHBOARD_TOKEN": TOKEN, "DASHBOARD_INGEST_URLS": NO_INGRESS},
    ) as running:
        yield running
