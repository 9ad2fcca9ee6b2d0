"""Migrations: numbered `.sql` files, applied in order, once each, and never edited after their release."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from typing import NamedTuple

from core import logs
from core.clickhouse import ClickHouse
from core.errors import ConfigError
from core.settings import Settings
from sinks.cluster import render, tables_of
from sinks.ttl import LETTERS, OLD_LETTERS, changes, deletions

log = logs.get(__name__)

_RECORDS = """
CREATE TABLE IF NOT EXISTS schema_migrations{on}
(
    number UInt32,
    name String,
    checksum String,
    statements UInt32,
    applied_time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {engine}
ORDER BY number
"""
_CREATED = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
_ON_ONE_SERVER = {"on": "", "engine": "ReplacingMergeTree(statements)"}


class Migration(NamedTuple):
    """One file."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """The statements, in order. A semicolon at the end of a line ends one."""
        parts = re.split(r";\s*(?:\n|$)", self.text)
        return [part.strip() for part in parts if _without_comments(part)]


def _without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text).strip()


def released() -> list[Migration]:
    """Return the files of this release, in order."""
    found = []
    for file in resources.files("sinks.migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match is not None:
            found.append(Migration(int(match[1]), file.name, file.read_text()))
    return sorted(found)


class Cluster(NamedTuple):
    """Where tables are replicated and sharded: the cluster's name, and the database that every server of it has."""

    name: str
    database: str

    @property
    def records(self) -> dict[str, str]:
        """How the table of applied migrations is made: every server of every shard is a replica of the same one."""
        path = f"'/clickhouse/receipts/{self.database}/schema_migrations', '{{shard}}-{{replica}}'"
        return {"on": f" ON CLUSTER '{self.name}'", "engine": f"ReplicatedReplacingMergeTree({path}, statements)"}


async def migrate(clickhouse: ClickHouse, migrations: list[Migration], cluster: Cluster | None = None) -> list[str]:
    """Apply what has not been applied, on all servers of a cluster where one is named, and return its names.

    Safe to repeat, to run from several processes at once, and to continue after a crash: every statement that creates
    something passes over what is there. Raises ConfigError when a file that was applied has been edited since.
    """
    await clickhouse.command(_RECORDS.format(**(cluster.records if cluster else _ON_ONE_SERVER)))
    rows = await clickhouse.rows("SELECT number, name, checksum FROM schema_migrations FINAL")
    done = {int(row["number"]): row for row in rows}
    applied = []
    for migration in migrations:
        before = done.get(migration.number)
        if before is None:
            await _apply(clickhouse, migration, statements_of(migration, migrations, cluster))
            applied.append(migration.name)
        elif before["checksum"] != migration.checksum:
            raise ConfigError(
                f"migration {migration.name} was edited after it had been applied",
                fix="Restore the file of the release, and put the change into a new file with the next number",
            )
    return applied


def statements_of(migration: Migration, migrations: list[Migration], cluster: Cluster | None) -> list[str]:
    """Return the statements of a migration as they are run; each passes over what is there."""
    if cluster is None:
        return [_passing_over(statement) for statement in migration.statements]
    tables = tables_of(statement for each in migrations for statement in each.statements)
    return [made for each in migration.statements for made in render(each, cluster.name, cluster.database, tables)]


async def apply_ttl(clickhouse: ClickHouse, settings: Settings) -> list[str]:
    """Let each table keep its rows as long as the settings say; return the names of those that were changed.

    Dead letters that were closed longer ago go at once: no time to live can tell them.
    """
    cluster = settings.clickhouse_cluster
    suffix, on = ("_local", f" ON CLUSTER '{cluster}'") if cluster else ("", "")
    rows = await clickhouse.rows(_CREATED)
    created = {
        str(row["name"]).removesuffix(suffix): row["create_table_query"] for row in rows if row["name"].endswith(suffix)
    }
    found = changes(settings, created)
    for table, change in found.items():
        await clickhouse.command(f"ALTER TABLE {table}{suffix}{on} {change}")
        log.info("ttl", table=table, change=change)
    if settings.ttl_dead_letters is not None and LETTERS in created:
        rows = await clickhouse.rows(OLD_LETTERS, {"seconds": int(settings.ttl_dead_letters.total_seconds())})
        places = [(int(row["place"][0]), int(row["place"][1])) for row in rows]
        for deletion in deletions(places):
            await clickhouse.command(f"ALTER TABLE {LETTERS}{suffix}{on} {deletion}")
        log.info("dead_letters_deleted", letters=len(places))
    return list(found)


async def _apply(clickhouse: ClickHouse, migration: Migration, statements: list[str]) -> None:
    for statement in statements:
        await clickhouse.command(statement)
    count = len(migration.statements)
    await clickhouse.command(
        "INSERT INTO schema_migrations (number, name, checksum, statements) VALUES "  # noqa: S608 -- our own file's name
        f"({migration.number}, '{migration.name}', '{migration.checksum}', {count})"
    )
    log.info("migrated", file=migration.name, statements=count)


def _passing_over(statement: str) -> str:
    """Let a CREATE pass over what another process, or a run that died, has made already."""
    return re.sub(
        r"\A((?:\s|--[^\n]*\n)*CREATE (?:TABLE|VIEW|MATERIALIZED VIEW|DICTIONARY)) (?!IF NOT EXISTS)",
        r"\1 IF NOT EXISTS ",
        statement,
    )
