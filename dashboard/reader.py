"""Runs the package's queries on ClickHouse, a few at a time, and makes answers of their rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import Any, Final, TypeVar

from core import metrics
from core.clickhouse import ClickHouse, connect
from core.errors import WarehouseUnavailableError
from core.settings import Settings
from dashboard.answers import row_of

QUICK_TIMEOUT_S: Final = 20.0
PATIENT_TIMEOUT_S: Final = 300.0
QUICK_AT_ONCE: Final = 4
PATIENT_AT_ONCE: Final = 2
MOST_WAITING: Final = 64
"""What walks over all messages must leave the warehouse to the sinks."""

T = TypeVar("T")


@cache
def query(name: str) -> str:
    """Return the text of queries/NAME.sql."""
    return resources.files("dashboard.queries").joinpath(f"{name}.sql").read_text()


class Lane:
    """A client and how many queries it runs at once; so many more may wait."""

    def __init__(self, client: ClickHouse, at_once: int) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(at_once)
        self._waiting = 0

    async def rows(self, name: str, asked: Mapping[str, object]) -> list[dict[str, Any]]:
        """Run a query when its turn comes."""
        if self._waiting >= MOST_WAITING:
            raise WarehouseUnavailableError("Too many long queries wait for their turn", fix="Ask again in a while")
        self._waiting += 1
        try:
            await self._at_once.acquire()
        finally:
            self._waiting -= 1
        try:
            with metrics.DASHBOARD_QUERY_SECONDS.labels(name).time():
                return await self._client.rows(query(name), asked)
        finally:
            self._at_once.release()


class Reader:
    """Runs queries: quick ones, and patient ones that may take minutes on many messages."""

    def __init__(self, quick: ClickHouse, patient: ClickHouse) -> None:
        self._quick = Lane(quick, QUICK_AT_ONCE)
        self._patient = Lane(patient, PATIENT_AT_ONCE)

    async def raw(self, name: str, asked: Mapping[str, object], *, patient: bool = False) -> list[dict[str, Any]]:
        """Run queries/NAME.sql with its parameters and return its rows.

        Raises WarehouseUnavailableError, WarehouseRefusedError.
        """
        return await (self._patient if patient else self._quick).rows(name, asked)

    async def rows(self, name: str, kind: type[T], asked: Mapping[str, object], *, patient: bool = False) -> list[T]:
        """Run queries/NAME.sql and return its rows as answers of a kind."""
        return [row_of(kind, row) for row in await self.raw(name, asked, patient=patient)]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Reader]:
    """Open a reader; nothing is sent yet."""
    async with (
        connect(settings, timeout_s=QUICK_TIMEOUT_S) as quick,
        connect(settings, timeout_s=PATIENT_TIMEOUT_S) as patient,
    ):
        yield Reader(quick, patient)
