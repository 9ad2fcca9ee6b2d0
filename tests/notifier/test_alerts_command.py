"""`receipts alerts` on a real ClickHouse and real receivers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess
from uuid import uuid4

import msgspec
import pytest

from core.clickhouse import connect
from core.settings import parse
from sinks.migrate import migrate, released
from tests.notifier.alerts import alert
from tests.notifier.places import SECRET, receiving
from tests.stack import run


@pytest.fixture
async def database(warehouse: str) -> AsyncIterator[dict[str, str]]:
    """Make a database with three alerts, and yield the environment that names it."""
    environ = {"CLICKHOUSE_URL": warehouse, "CLICKHOUSE_DATABASE": f"alerts_{uuid4().hex[:12]}"}
    settings = parse(environ)
    async with connect(settings, database="default") as server, connect(settings) as clickhouse:
        await server.command(f"CREATE DATABASE {settings.clickhouse_database}")
        await migrate(clickhouse, released())
        rows = [alert("it's"), alert(2, "resolved"), alert(3, org="2", rule="delivered_not_read")]
        await clickhouse.insert("alerts_log", b"\n".join(map(msgspec.json.encode, rows)), token="t")
        yield environ
        await server.command(f"DROP DATABASE {settings.clickhouse_database}")


@pytest.mark.stack
async def test_alerts_are_listed_shown_and_acknowledged(database: dict[str, str]) -> None:
    async def alerts(*arguments: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(run, "alerts", *arguments, environ=database)

    async def ids(*arguments: str) -> set[str]:
        return {row["alert_id"] for row in json.loads((await alerts("list", "--json", *arguments)).stdout)}

    first, second, third = "stuck_in_sent:1:it's", "stuck_in_sent:1:2", "delivered_not_read:2:3"
    assert await ids() == {first, third}
    assert await ids("--state", "all") == {first, second, third}
    assert await ids("--rule", "stuck_in_sent") == {first}
    acked = await alerts("ack", first, "--by", "Ada", "--note", "calls the carrier")
    assert (acked.returncode, acked.stdout) == (0, f"acknowledged by Ada: {first}\n")
    assert await ids("--unacked") == {third}
    await alerts("ack", first, "--by", "Bob")
    shown = json.loads((await alerts("show", first, "--json")).stdout)
    assert (shown["acked_by"], shown["note"], shown["state"]) == ("Bob", "", "open")
    table = await alerts("list", "--org", "2")
    assert "delivered_not_read:2:3" in table.stdout
    assert (await alerts("list", "--org", "9")).stdout == "no open alerts\n"
    for arguments in (("show", "none"), ("ack", third, "none")):
        refused = await alerts(*arguments)
        assert (refused.returncode, "no alert none is known" in refused.stderr) == (1, True)
    assert await ids("--unacked") == {third}, "with an unknown id nothing is recorded"


async def test_destinations_are_tried(tmp_path: Path) -> None:
    async with receiving() as receiver, receiving() as down:
        down.down = True
        file = tmp_path / "notify.toml"
        tables = [
            f'[[destination]]\nname = "{name}"\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n'
            for name, url in (("ops", receiver.url), ("down", down.url))
        ]
        file.write_text("".join(tables))
        environ = {"NOTIFY_FILE": str(file), "NOTIFY_ALLOW_PRIVATE": "true"}
        both = await asyncio.to_thread(run, "alerts", "test", environ=environ)
        assert (both.returncode, both.stdout) == (1, "ops: delivered\ndown: failed: HTTP 503: \n")
        one = await asyncio.to_thread(run, "alerts", "test", "--destination", "ops", environ=environ)
        assert (one.returncode, one.stdout) == (0, "ops: delivered\n")
        private = await asyncio.to_thread(
            run, "alerts", "test", environ={"NOTIFY_URL": "https://127.0.0.1:9/x", "NOTIFY_SECRET": SECRET}
        )
        assert private.returncode == 1
        assert "is the private address 127.0.0.1" in private.stdout
    assert [received.json["type"] for received in receiver.got] == ["alert.test"] * 2


def test_without_destinations_there_is_nothing_to_try() -> None:
    done = run("alerts", "test")
    assert (done.returncode, "no destination is configured" in done.stderr) == (2, True)
