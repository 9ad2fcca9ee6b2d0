"""Dead letters in the warehouse: any number of them is found and marked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from core.clickhouse import HttpClickHouse, connect
from core.settings import parse
from sinks.letters import Wanted, discard, find
from sinks.migrate import migrate, released

pytestmark = pytest.mark.stack

MANY = 25_000


@pytest.fixture
async def clickhouse(warehouse: str) -> AsyncIterator[HttpClickHouse]:
    database = f"letters_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as client:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(client, released())
        yield client
        await server.command(f"DROP DATABASE {database}")


async def test_more_letters_are_discarded_than_a_statement_may_name(clickhouse: HttpClickHouse) -> None:
    await clickhouse.command(
        "INSERT INTO dead_letters_log (stage, reason, body, failed_at, dead_offset) "
        f"SELECT 'ingress', 'not_json', 'text', now64(3), 1000000 + number FROM numbers({MANY})"
    )
    letters = await discard(clickhouse, Wanted(reason="not_json"))
    assert len(letters) == MANY
    assert not any(letter.body for letter in letters), "what is thrown away is not loaded"
    kept = await find(clickhouse, Wanted(state="discarded"))
    assert (len(kept), kept[0].body) == (MANY, b"text")
    assert await find(clickhouse, Wanted(state="open")) == []
