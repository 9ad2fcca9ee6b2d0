"""Whoever works alone, alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from core.clickhouse import HttpClickHouse, connect
from core.settings import parse
from sinks.letters import lease
from sinks.letters.lease import BusyError, alone

pytestmark = pytest.mark.stack


@pytest.fixture
async def clickhouse(warehouse: str) -> AsyncIterator[HttpClickHouse]:
    async with connect(parse({"CLICKHOUSE_URL": warehouse})) as made:
        yield made


async def test_a_second_one_is_refused_until_the_first_has_ended(clickhouse: HttpClickHouse) -> None:
    name = uuid4().hex
    async with alone(clickhouse, name) as held:
        for _ in range(2):
            with pytest.raises(BusyError, match="Try again in a minute"):
                async with alone(clickhouse, name):
                    pass
        assert await held.is_alone(), "who is refused withdraws"
        async with alone(clickhouse, f"{name}-another"):
            pass
    async with alone(clickhouse, name):
        pass


async def test_of_many_at_once_one_at_most_works(clickhouse: HttpClickHouse) -> None:
    name, working, most = uuid4().hex, 0, 0

    async def try_it() -> None:
        nonlocal working, most
        try:
            async with alone(clickhouse, name):
                working += 1
                most = max(most, working)
                await asyncio.sleep(0.01)
                working -= 1
        except BusyError:
            pass

    for _ in range(5):
        await asyncio.gather(*(try_it() for _ in range(4)))
    assert most <= 1


async def test_a_lease_that_nobody_gives_back_ends(clickhouse: HttpClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    name = uuid4().hex
    monkeypatch.setattr(lease, "LASTS_S", 1)
    await lease.Lease(clickhouse, name).write(1)
    with pytest.raises(BusyError):
        async with alone(clickhouse, name):
            pass
    async with asyncio.timeout(20):
        while True:
            try:
                async with alone(clickhouse, name):
                    break
            except BusyError:
                await asyncio.sleep(0.1)


async def test_it_is_held_on_while_work_lasts(clickhouse: HttpClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    name = uuid4().hex
    monkeypatch.setattr(lease, "RENEW_S", -1.0)
    async with alone(clickhouse, name) as held:
        await held.write(0)
        await held.renew()
        with pytest.raises(BusyError):
            async with alone(clickhouse, name):
                pass
