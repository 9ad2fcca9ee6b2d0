"""The client: parameters arrive as they are, and an answer that breaks off is no answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from core.clickhouse import HttpClickHouse, connect, escaped
from core.errors import ConfigError, WarehouseRefusedError, WarehouseUnavailableError
from core.settings import parse

ODD = ["a\\b", "a\tb", "a\\tb", "a\nb\r", "it's", "\\N", "\\", "a\bb\0c", "\N{SNOWMAN}", "\\'"]


@pytest.fixture
async def clickhouse(warehouse: str) -> AsyncIterator[HttpClickHouse]:
    async with connect(parse({"CLICKHOUSE_URL": warehouse}), database="default") as client:
        yield client


@pytest.mark.stack
async def test_a_parameter_arrives_as_it_is(clickhouse: HttpClickHouse) -> None:
    for text in ODD:
        assert await clickhouse.rows("SELECT {text:String} AS text", {"text": text}) == [{"text": text}]


@pytest.mark.stack
async def test_texts_in_a_list_arrive_as_they_are(clickhouse: HttpClickHouse) -> None:
    rows = await clickhouse.rows("SELECT {texts:Array(String)} AS texts", {"texts": ODD})
    assert rows == [{"texts": ODD}]


@given(st.text(max_size=30))
def test_a_parameter_has_no_line_end_or_tab(text: str) -> None:
    """ClickHouse reads parameters as tab-separated text."""
    assert not set(escaped(text)) & set("\t\n\r\0")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (b'{"a":', "in the middle of a row"),
        (b"\r\n__exception__\r\nxyz\r\nCode: 241. DB::Exception: memory\n", "Code: 241. DB::Exception: memory"),
    ],
)
async def test_an_answer_that_breaks_off_is_none(end: bytes, why: str) -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(body=b'{"a":"secret"}\n' + end)

    app = web.Application()
    app.router.add_post("/", broken)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with connect(parse({"CLICKHOUSE_URL": f"http://127.0.0.1:{port}"})) as client:
            with pytest.raises(WarehouseUnavailableError, match="broke off its answer") as caught:
                await client.rows("SELECT a")
    finally:
        await runner.cleanup()
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.stack
async def test_a_failure_after_the_first_rows_is_no_row(clickhouse: HttpClickHouse) -> None:
    failing = "SELECT throwIf(number = 900000) AS a FROM numbers(1000000) SETTINGS max_block_size = 1000"
    with pytest.raises((WarehouseUnavailableError, WarehouseRefusedError)):
        await clickhouse.rows(failing)


@pytest.mark.parametrize("name", ["my-receipts", "1st", "a b", "a.b", "x; DROP DATABASE y", "receipts\n"])
def test_a_database_that_sql_does_not_read_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="CLICKHOUSE_DATABASE") as caught:
        parse({"CLICKHOUSE_DATABASE": name})
    assert repr(name) in str(caught.value)
    assert parse({"CLICKHOUSE_DATABASE": "_Receipts2"}).clickhouse_database == "_Receipts2"
