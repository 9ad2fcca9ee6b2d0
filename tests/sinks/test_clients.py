"""Analysts' own clients read the views: clickhouse-connect both ways, curl, and the usual formats."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import clickhouse_connect
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from bench.questions import fill
from core.clickhouse import connect
from core.settings import parse
from sinks.migrate import migrate, released

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

MESSAGES = 500
STATES = "SELECT message_id, status, sent_time, read_time, delivered_implied FROM message_state ORDER BY message_id"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(warehouse: str) -> AsyncIterator[str]:
    name = f"clients_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": name})
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {name}")
        await migrate(clickhouse, released())
        await fill(clickhouse, MESSAGES)
        yield name
        await server.command(f"DROP DATABASE {name}")


def curl(url: str, database: str, sql: str) -> bytes:
    asked = [f"{url}/?database={database}", "--data-binary", sql]
    return subprocess.run(["curl", "-sS", "--fail-with-body", *asked], capture_output=True, check=True).stdout


async def test_clickhouse_connect_gives_the_contracts_types(warehouse: str, database: str) -> None:
    client = clickhouse_connect.get_client(dsn=warehouse, database=database, tz_mode="aware")
    try:
        rows = list(client.query(STATES).named_results())
    finally:
        client.close()
    assert len(rows) == len({row["message_id"] for row in rows}) > MESSAGES * 0.9
    read = next(row for row in rows if row["status"] == "READ")
    assert isinstance(read["message_id"], str)
    assert isinstance(read["read_time"], datetime)
    assert read["read_time"].astimezone(UTC) <= datetime.now(UTC)
    assert isinstance(read["delivered_implied"], bool)
    assert next(row for row in rows if row["status"] != "READ")["read_time"] is None


async def test_the_asynchronous_client_gives_the_same(warehouse: str, database: str) -> None:
    client = clickhouse_connect.get_client(dsn=warehouse, database=database)
    try:
        expected = client.query(STATES).result_rows
    finally:
        client.close()
    async with await clickhouse_connect.get_async_client(dsn=warehouse, database=database) as asynchronous:
        assert (await asynchronous.query(STATES)).result_rows == expected


async def test_parameters_choose_a_message(warehouse: str, database: str) -> None:
    async with await clickhouse_connect.get_async_client(dsn=warehouse, database=database) as client:
        answer = await client.query(
            "SELECT new_status FROM transitions WHERE message_id = {id:String} ORDER BY updated_time",
            parameters={"id": "5000700100000000003"},
        )
    assert answer.result_rows[0] == ("SENT",)


async def test_every_format_says_the_same(warehouse: str, database: str) -> None:
    table = pq.read_table(io.BytesIO(curl(warehouse, database, f"{STATES} FORMAT Parquet")))
    arrow = pa.ipc.open_file(io.BytesIO(curl(warehouse, database, f"{STATES} FORMAT Arrow"))).read_all()
    lines = [json.loads(line) for line in curl(warehouse, database, f"{STATES} FORMAT JSONEachRow").splitlines()]
    whole = json.loads(curl(warehouse, database, f"{STATES} FORMAT JSON"))["data"]
    rows = list(csv.DictReader(io.StringIO(curl(warehouse, database, f"{STATES} FORMAT CSVWithNames").decode())))
    ids = [line["message_id"] for line in lines]
    assert [row["message_id"] for row in whole] == [row["message_id"] for row in rows] == ids
    for found in (table, arrow):
        texts = found.column("message_id").to_pylist()
        assert [text.decode() if isinstance(text, bytes) else text for text in texts] == ids
        assert found.column("read_time").null_count == sum(line["read_time"] is None for line in lines)
        assert found.schema.field("read_time").type == pa.timestamp("ms", tz="UTC")
