"""ClickHouse's engine with the rights of deploy/clickhouse/grants.sql, and what each role asks of it.

`python -m tests.security.rights FOLDER` gives each role its rights in turn, runs what the role's code runs, and prints
as JSON, by role, what was asked and what was refused. It is a process of its own: an engine has one set of users.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from chdb.state.sqlitelike import connect

from core import logs
from core.clickhouse import _row
from core.errors import WarehouseRefusedError
from core.settings import parse
from dashboard.reader import query as dashboard_query
from sandbox.warehouse.engine import Engine, Request
from sandbox.warehouse.failures import ACCESS_DENIED, SYNTAX_ERROR, QueryError
from schemas.alert_rules import ChannelRule
from sinks import timeline
from sinks.channels import store
from sinks.channels.listing import Channel
from sinks.doctor_stored import look_up
from sinks.ledger import offsets
from sinks.ledger.audit import CHECKS, Ledger, query
from sinks.ledger.kept import keep
from sinks.letters import lease
from sinks.letters.store import Letter, Wanted, find, mark
from sinks.migrate import apply_ttl, migrate, released
from sinks.notifier import measures, stored
from sinks.notifier.names import Names
from sinks.replay.sources import Selection, from_clickhouse
from sinks.restate import _clear
from sinks.rows import TARGETS

GRANTS: Final = Path(__file__).parents[2] / "deploy/clickhouse/grants.sql"
DATABASE: Final = "receipts"
WRONG: Final = "GRANT SELECT receipts.alerts TO receipts_sink"
NOW: Final = 1_760_000_000_000
GRANT: Final = re.compile(r"^GRANT (.+) ON (\S+) TO (\w+)$")
_USERS: Final = """<clickhouse>
<profiles><default/></profiles><quotas><default/></quotas>
<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants>{grants}</grants></default></users>
<user_directories><users_xml><path>{file}</path></users_xml></user_directories>
</clickhouse>"""


def statements() -> list[str]:
    """Return the statements of grants.sql."""
    text = re.sub(r"--[^\n]*", "", GRANTS.read_text())
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


def granted() -> dict[str, set[tuple[str, str]]]:
    """Return, by role, its rights: the privilege and what it is on, such as ("SELECT", "receipts.alerts")."""
    found: dict[str, set[tuple[str, str]]] = {}
    for statement in statements():
        if (match := GRANT.match(statement)) is not None:
            found.setdefault(match[3], set()).update((each.strip(), match[2]) for each in match[1].split(","))
    return found


class Limited(Engine):
    """The engine whose user has these rights alone."""

    def __init__(self, data: Path, rights: set[tuple[str, str]]) -> None:
        data.mkdir(parents=True, exist_ok=True)
        users = data.with_suffix(".xml")
        grants = "".join(f"<query>{escape(f'GRANT {right} ON {on}')}</query>" for right, on in sorted(rights))
        users.write_text(_USERS.format(grants=grants, file=users))
        self._path = f"{data}?config-file={users}"
        self._opening = threading.Lock()
        self._keeper = connect(self._path)


class Asked:
    """A ClickHouse that notes what is asked, and goes on where the rights do not reach."""

    def __init__(self, engine: Engine, database: str = DATABASE) -> None:
        self._engine = engine
        self.database = database
        self.asked: list[str] = []
        self.denied: list[str] = []

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Run a query; no rows where it was denied."""
        texts = {name: str(value) for name, value in (parameters or {}).items()}
        return [_row(line) for line in self._run(sql, params=texts).split(b"\n") if line]

    async def command(self, sql: str) -> None:
        """Run a statement."""
        self._run(sql)

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        """Insert JSON lines, as core.clickhouse does."""
        names = f" ({', '.join(columns)})" if columns else ""
        self._run(
            f"INSERT INTO {table}{names} FORMAT JSONEachRow", lines, settings={"insert_deduplication_token": token}
        )

    async def ping(self) -> None:
        """Ask for nothing."""

    def _run(
        self,
        sql: str,
        lines: bytes = b"",
        *,
        params: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> bytes:
        self.asked.append(sql)
        given = {"date_time_input_format": "best_effort", "date_time_output_format": "iso", **(settings or {})}
        asked = Request(
            sql.encode() + (b"\n" if lines else b""),
            lines,
            database=self.database,
            default_format="JSONEachRow",
            settings=given,
            params=params or {},
        )
        try:
            return self._engine.run(asked).body
        except QueryError as error:
            if error.code != ACCESS_DENIED:
                raise WarehouseRefusedError(f"{error.text}: {sql}", code=error.code) from error
            self.denied.append(error.text)
            return b""


def defaults(sql: str) -> dict[str, object]:
    """Return a value for each parameter of a query."""
    of_type = {"Int64": 1, "UInt32": 1, "Bool": "false", "String": ""}
    found = {name: of_type[kind] for name, kind in re.findall(r"\{(\w+):(\w+)\}", sql)}
    special = {"tz": "UTC", "unit": "hour"}
    return {name: special.get(name, value) for name, value in found.items()}


async def _queries(clickhouse: Asked, texts: Iterator[str]) -> None:
    for text in texts:
        await clickhouse.rows(text, defaults(text))


async def migrating(clickhouse: Asked) -> None:
    """Do what `receipts migrate` and `receipts restate` do."""
    clickhouse.database = "default"
    await clickhouse.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    clickhouse.database = DATABASE
    await migrate(clickhouse, released())
    await migrate(clickhouse, released())
    await apply_ttl(clickhouse, parse({"TTL_RAW_EVENTS": "90d"}))
    await apply_ttl(clickhouse, parse({}))
    await _clear(clickhouse, "")


async def sinking(clickhouse: Asked) -> None:
    """Insert a row into each table, ask it as the writer does, and audit."""
    for target in TARGETS.values():
        await clickhouse.insert(target.table, b"{}", token=target.table)
        await clickhouse.rows(f"SELECT * FROM {target.table} LIMIT 0")
    await auditing(clickhouse)
    await keep(clickhouse, Ledger([], [], 0), 0, NOW)


async def auditing(clickhouse: Asked) -> None:
    """Run the audit's queries; Kafka is not asked."""
    await _queries(clickhouse, (query(name) for name in ("entries", "receipts", *CHECKS)))
    for each in offsets.STORED:
        await _queries(clickhouse, (text.format(**each._asdict()) for text in (offsets._GAPS, offsets._BEYOND)))


async def notifying(clickhouse: Asked) -> None:
    """Ask what channel rules look at, and names."""
    await measures.channels(clickhouse)
    await measures.open_alerts(clickhouse)
    for kind in ("delivery_ratio_below", "silent", "contradictions_above", "gaps_above"):
        await measures.measure(clickhouse, ChannelRule("x", kind, bound=0.5), NOW)
    await Names(clickhouse).look_up([("1", "2")])


async def showing(clickhouse: Asked) -> None:
    """Run every query of the dashboard."""
    files = resources.files("dashboard.queries").iterdir()
    names = sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))
    await _queries(clickhouse, map(dashboard_query, names))


async def operating(clickhouse: Asked) -> None:
    """Do what the commands of a person do."""
    await auditing(clickhouse)
    await timeline.timelines(clickhouse, "1")
    await look_up(clickhouse, 0)
    async for _ in from_clickhouse(clickhouse, Selection(0, NOW)):
        pass
    await stored.found(clickhouse, state="all", limit=1)
    await stored.one(clickhouse, "x")
    await clickhouse.rows(stored._MESSAGE, {"org": "1", "id": "2"})
    await stored.acknowledge(clickhouse, [], who="a", note="b", now=NOW)
    await clickhouse.insert("alert_acks_log", b"{}", token="ack")
    await store.listed(clickhouse)
    await store.orgs_heard(clickhouse)
    await store.store(clickhouse, [Channel("1", "2", "WHATSAPP", "n", "a", active=True)], "file", NOW)
    await find(clickhouse, Wanted())
    await mark(clickhouse, [Letter("0-1", *("", "", "", ""), 0, 0, "", 0, "", b"", "")], "discarded")
    async with lease.alone(clickhouse):
        pass
    for text in ("delivery = {delivery:String}", "raw_partition = {partition:Int64} AND raw_offset = {offset:Int64}"):
        await _queries(clickhouse, iter([f"SELECT body FROM raw_events WHERE {text}"]))
    for target in TARGETS.values():
        await clickhouse.insert(target.table, b"{}", token=f"again-{target.table}")


async def analysing(clickhouse: Asked) -> None:
    """Read every view that the role may read, as an analyst does."""
    for right, on in sorted(granted()["receipts_analyst"]):
        assert right == "SELECT"
        await clickhouse.rows(f"SELECT * FROM {on} LIMIT 1 FORMAT Null")


WORK: Final[dict[str, Callable[[Asked], Awaitable[None]]]] = {
    "receipts_migrate": migrating,
    "receipts_sink": sinking,
    "receipts_notifier": notifying,
    "receipts_dashboard": showing,
    "receipts_operator": operating,
    "receipts_analyst": analysing,
}
"""Each role's work, in an order in which tables are there when they are asked."""


def unread(engine: Engine, texts: list[str]) -> list[str]:
    """Return the texts that are no statements of ClickHouse's language."""
    found = []
    for text in texts:
        try:
            engine.run(Request(b"SELECT formatQuery({text:String})", params={"text": text}))
        except QueryError as error:
            if error.code != SYNTAX_ERROR:
                raise
            found.append(text)
    return found


def run(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Return, by role, what it asked and what was denied.

    As `stranger` what a user with one right is denied; as `language` which statements of grants.sql, and of one that is
    wrong, cannot be read.
    """
    found = {}
    rights = granted()
    for role, work in {**WORK, "stranger": showing}.items():
        engine = Limited(folder / "data", rights.get(role, {("SELECT", f"{DATABASE}.alerts")}))
        asked = Asked(engine)
        try:
            asyncio.run(_run(work, asked))
        finally:
            engine.close()
        found[role] = {"asked": asked.asked, "denied": asked.denied}
    engine = Limited(folder / "data", {("SELECT", f"{DATABASE}.alerts")})
    texts = [*statements(), WRONG]
    found["language"] = {"asked": texts, "denied": unread(engine, texts)}
    engine.close()
    return found


async def _run(work: Callable[[Asked], Awaitable[None]], clickhouse: Asked) -> None:
    await work(clickhouse)


if __name__ == "__main__":
    logs.configure("rights")
    json.dump(run(Path(sys.argv[1])), sys.stdout)
