"""Every query of docs/queries.md answers, with the columns that the page shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import clickhouse_connect
import pytest
import pytest_asyncio
from clickhouse_connect.driver.asyncclient import AsyncClient

from bench.questions import PAGE, Query, fill, read
from core.clickhouse import connect
from core.settings import parse
from sinks.migrate import migrate, released

pytestmark = pytest.mark.stack

QUERIES = read(PAGE.read_text())
MESSAGES = 20_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(warehouse: str) -> AsyncIterator[AsyncClient]:
    database = f"queries_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(clickhouse, released())
        await fill(clickhouse, MESSAGES)
        async with await clickhouse_connect.get_async_client(dsn=warehouse, database=database) as made:
            yield made
        await server.command(f"DROP DATABASE {database}")


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.heading}-{query.part}")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_query_of_the_page_answers_as_shown(client: AsyncClient, query: Query) -> None:
    answer = await client.query(query.sql)
    assert answer.row_count > 0
    head = query.shown.split("\n", 1)[0]
    assert [name for name in answer.column_names if f"─{name}─" not in head] == []


def test_the_page_shows_an_answer_to_every_query() -> None:
    assert len(QUERIES) > 12
    assert [query.heading for query in QUERIES if not query.shown] == []
