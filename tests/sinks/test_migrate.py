"""Migrations run once, in order, and refuse what was edited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from core.clickhouse import HttpClickHouse, connect
from core.errors import ConfigError
from core.settings import parse
from sinks.migrate import Migration, migrate, released
from sinks.rows import raw_line
from tests.sinks.test_rows import HEADERS, Record
from tests.stack import run

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE one (a UInt8) ENGINE = MergeTree ORDER BY a;\n")
ZOHO = b'{"payload":{"messageNewStatus":{"status":%b},"messageId":1},"eventType":"IM_Message_Status","orgId":"1"%b}'
SECOND = Migration(2, "0002_second.sql", "-- Why; and how.\nCREATE VIEW two AS SELECT a FROM one;\n")


@pytest.fixture
async def clickhouse(warehouse: str) -> AsyncIterator[HttpClickHouse]:
    database = f"migrate_{uuid4().hex[:12]}"
    settings = parse({"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": database})
    async with connect(settings, database="default") as server, connect(settings) as client:
        await server.command(f"CREATE DATABASE {database}")
        yield client
        await server.command(f"DROP DATABASE {database}")


def test_the_released_files_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in released()] == list(range(1, len(released()) + 1))
    assert all(migration.statements for migration in released())


def test_a_comment_is_no_statement() -> None:
    assert Migration(1, "x", "-- only words;\n").statements == []


@pytest.mark.stack
async def test_only_what_is_new_is_applied(clickhouse: HttpClickHouse) -> None:
    assert await migrate(clickhouse, [FIRST]) == ["0001_first.sql"]
    assert await migrate(clickhouse, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await migrate(clickhouse, [FIRST, SECOND]) == []
    assert await clickhouse.rows("SELECT * FROM two") == []


@pytest.mark.stack
async def test_two_processes_may_migrate_at_once(clickhouse: HttpClickHouse) -> None:
    await asyncio.gather(migrate(clickhouse, released()), migrate(clickhouse, released()))
    assert await migrate(clickhouse, released()) == []


@pytest.mark.stack
async def test_a_run_that_died_half_way_is_continued(clickhouse: HttpClickHouse) -> None:
    await clickhouse.command(FIRST.statements[0])
    assert await migrate(clickhouse, [FIRST]) == ["0001_first.sql"]


@pytest.mark.stack
async def test_an_edited_file_is_refused(clickhouse: HttpClickHouse) -> None:
    await migrate(clickhouse, [FIRST])
    with pytest.raises(ConfigError, match=r"0001_first\.sql was edited"):
        await migrate(clickhouse, [FIRST._replace(text=FIRST.text + "-- edited\n")])


@pytest.mark.stack
@pytest.mark.parametrize(
    "value",
    [
        ZOHO % (b'"READ","updatedTime":"2025-10-09T07:27:19.394Z"', b',"eventTime":"1751022087020"'),
        ZOHO % (b'"READ","updatedTime":"2025-10-09T07:27:19.3949+05:30"', b""),
        ZOHO % (b'"FAILED","updatedTime":"soon"', b',"eventTime":"1751022087020"'),
        ZOHO % (b'"FAILED"', b',"eventTime":1751022087020'),
        ZOHO % (b'"SENT"', b""),
        b'{"payload":{"id":"5","status":"SENT"},"eventType":"IM_Message_Add","orgId":"1"}',
    ],
)
async def test_rows_from_before_the_receipt_columns_tell_what_sinks_write_now(
    clickhouse: HttpClickHouse, value: bytes
) -> None:
    before = released()[:5]
    await migrate(clickhouse, before)
    written = raw_line(Record(value, HEADERS), 0)
    assert isinstance(written, bytes)
    row = orjson.loads(written)
    status, moment = row.pop("status"), row.pop("status_time")
    await clickhouse.insert("raw_events_log", orjson.dumps(row), token="before")
    await migrate(clickhouse, released())
    await clickhouse.insert("raw_events_log", written.replace(b'"raw_offset":9', b'"raw_offset":10'), token="after")
    rows = await clickhouse.rows("SELECT status, status_time, body FROM raw_events ORDER BY raw_offset")
    told = {"status": status, "status_time": None if moment.startswith("1900") else moment, "body": value.decode()}
    assert [{**row, "status_time": iso(row["status_time"])} for row in rows] == [told, told]


def iso(written: str | None) -> str | None:
    """Return a time of ClickHouse's with milliseconds, whole seconds too."""
    return None if written is None else written if "." in written else written.replace("Z", ".000Z")


@pytest.mark.parametrize("arguments", [("alerts", "list"), ("message", "1"), ("dead", "list")], ids=" ".join)
async def test_a_command_before_the_tables_says_what_makes_them(
    clickhouse: HttpClickHouse, warehouse: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (row,) = await clickhouse.rows("SELECT currentDatabase() AS name")
    environ = {"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": row["name"], "STATE_DIR": str(tmp_path)}
    done = await asyncio.to_thread(run, *arguments, environ=environ)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"receipts: a table is missing in {row['name']}: "), done.stderr
    assert done.stderr.rstrip().endswith("Run `receipts migrate`")
    elsewhere = {**environ, "CLICKHOUSE_DATABASE": "nowhere_at_all"}
    done = await asyncio.to_thread(run, *arguments, environ=elsewhere)
    assert (done.returncode, done.stderr.rstrip().endswith("Run `receipts migrate`")) == (2, True), done.stderr
