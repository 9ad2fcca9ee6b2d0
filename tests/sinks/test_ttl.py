"""How long tables keep their rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import orjson
import pytest

from core.clickhouse import HttpClickHouse, connect
from core.clock import iso, now_ms
from core.settings import Settings, parse
from sinks.migrate import apply_ttl, migrate, released
from sinks.ttl import KEEPING, changes, deletions

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
async def test_old_rows_go(tables: tuple[HttpClickHouse, dict[str, str]]) -> None:
    clickhouse, environ = tables
    await apply_ttl(clickhouse, with_ttl(environ, ALL))
    await clickhouse.insert("raw_events_log", b'{"received_time":"2001-01-01T00:00:00Z","raw_offset":1}', token="b")
    await clickhouse.command("OPTIMIZE TABLE raw_events_log FINAL")
    assert await clickhouse.rows("SELECT * FROM raw_events") == []


async def letters(clickhouse: HttpClickHouse) -> list[tuple[str, str]]:
    rows = await clickhouse.rows("SELECT id, state FROM dead_letters ORDER BY id")
    return [(row["id"], row["state"]) for row in rows]


async def write(clickhouse: HttpClickHouse, offset: int, **fields: str) -> None:
    """Write a row of a letter, in a part of its own."""
    row = {"stage": "sink", "offset": offset, "dead_offset": offset, "failed_at": "2001-01-01T00:00:00Z", **fields}
    await clickhouse.insert("dead_letters_log", orjson.dumps(row), token=f"{row}")


@pytest.mark.stack
async def test_a_closed_letter_goes_whole_and_is_never_open_again(
    tables: tuple[HttpClickHouse, dict[str, str]],
) -> None:
    clickhouse, environ = tables
    # As an earlier release left it: the row that closes a letter is alone in its part, and old.
    old = "MODIFY TTL toDateTime(failed_at) + toIntervalSecond(7776000) WHERE state != 'open'"
    await clickhouse.command(f"ALTER TABLE dead_letters_log {old}")
    with_letters = with_ttl(environ, {"TTL_DEAD_LETTERS": "90d"})
    assert await apply_ttl(clickhouse, with_letters) == ["dead_letters_log"]
    assert await apply_ttl(clickhouse, with_letters) == []
    await clickhouse.command("SYSTEM STOP MERGES dead_letters_log")
    now = iso(now_ms())
    for offset, closed in ((1, {}), (2, {"changed_time": now}), (3, {"changed_time": "2001-02-01T00:00:00Z"})):
        await write(clickhouse, offset)
        if closed:
            await write(clickhouse, offset, state="redriven", **closed)
    # The record of letter 3 was parked twice: the second letter stands behind the first.
    await write(clickhouse, 3, dead_offset="4")
    there = [("0-1", "open"), ("0-2", "redriven"), ("0-3", "redriven")]
    assert await letters(clickhouse) == there
    await clickhouse.command("SYSTEM START MERGES dead_letters_log")
    await clickhouse.command("OPTIMIZE TABLE dead_letters_log")
    assert await letters(clickhouse) == there
    await apply_ttl(clickhouse, with_ttl(environ))
    assert await letters(clickhouse) == there, "without a setting for ever"
    await apply_ttl(clickhouse, with_letters)
    for _ in range(100):
        if len(await letters(clickhouse)) < len(there):
            break
        await asyncio.sleep(0.1)
    assert await letters(clickhouse) == there[:2]
    rows = await clickhouse.rows("SELECT DISTINCT dead_offset FROM dead_letters_log ORDER BY dead_offset")
    assert [int(row["dead_offset"]) for row in rows] == [1, 2]


def test_many_letters_are_deleted_in_statements_of_a_length_that_clickhouse_reads() -> None:
    found = list(deletions([(9999, 10**12 + number) for number in range(12_000)]))
    assert len(found) == 3
    assert max(map(len, found)) < 262_144


def test_a_table_that_is_not_there_is_passed_over() -> None:
    assert changes(parse(ALL), {}) == {}
