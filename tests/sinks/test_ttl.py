"""How long tables keep their rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from core.clickhouse import HttpClickHouse, connect
from core.settings import Settings, parse
from sinks.migrate import apply_ttl, migrate, released
from sinks.ttl import KEEPING, changes

ALL = {each.setting.upper(): "90d" for each in KEEPING}


@pytest.fixture
async def tables(warehouse: str) -> AsyncIterator[tuple[HttpClickHouse, dict[str, str]]]:
    database = f"ttl_{uuid4().hex[:12]}"
    environ = {"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database}
    settings = parse(environ)
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {database}")
        await migrate(clickhouse, released())
        yield clickhouse, environ
        await server.command(f"DROP DATABASE {database}")


def with_ttl(environ: dict[str, str], *more: dict[str, str]) -> Settings:
    return parse({name: value for each in (environ, *more) for name, value in each.items()})


@pytest.mark.stack
async def test_a_time_to_live_is_set_once_and_changed_and_taken_away(
    tables: tuple[HttpClickHouse, dict[str, str]],
) -> None:
    clickhouse, environ = tables
    assert await apply_ttl(clickhouse, with_ttl(environ)) == []
    assert await apply_ttl(clickhouse, with_ttl(environ, ALL)) == [each.table for each in KEEPING]
    assert await apply_ttl(clickhouse, with_ttl(environ, ALL)) == []
    assert await apply_ttl(clickhouse, with_ttl(environ, ALL, {"TTL_ALERTS": "5d"})) == ["alerts_log"]
    assert sorted(await apply_ttl(clickhouse, with_ttl(environ))) == sorted(each.table for each in KEEPING)


@pytest.mark.stack
async def test_old_rows_go_and_open_letters_stay(tables: tuple[HttpClickHouse, dict[str, str]]) -> None:
    clickhouse, environ = tables
    await apply_ttl(clickhouse, with_ttl(environ, ALL))
    letter = '{{"stage":"sink","failed_at":"2001-01-01T00:00:00Z","dead_offset":{},"state":"{}"}}'
    lines = "\n".join((letter.format(1, "open"), letter.format(2, "discarded")))
    await clickhouse.insert("dead_letters_log", lines.encode(), token="a")
    await clickhouse.insert("raw_events_log", b'{"received_time":"2001-01-01T00:00:00Z","raw_offset":1}', token="b")
    for table in ("dead_letters_log", "raw_events_log"):
        await clickhouse.command(f"OPTIMIZE TABLE {table} FINAL")
    assert [row["state"] for row in await clickhouse.rows("SELECT state FROM dead_letters")] == ["open"]
    assert await clickhouse.rows("SELECT * FROM raw_events") == []


def test_a_table_that_is_not_there_is_passed_over() -> None:
    assert changes(parse(ALL), {}) == {}
