"""The migrations on a cluster: each table replicated on every shard, under a distributed one of its own name. Pure.

A statement of the numbered files becomes one or two for the cluster:

- a table `x` becomes `x_local` (replicated) and `x` (distributed over it, by the file's `-- shard:` line, else by the
  hash of its sorting key);
- a materialized view stays within its shard: it reads and feeds the `_local` tables;
- a view reads the distributed tables;
- a change of a table is made on both, the replicated one first; one that is for servers without Keeper is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_LOCAL: Final = "_local"
_REPLICA: Final = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
_ALONE: Final = "non_replicated_deduplication_window"
_CREATE = re.compile(
    r"\A((?:\s|--[^\n]*\n)*)CREATE (OR REPLACE )?(TABLE|MATERIALIZED VIEW|VIEW) (?:IF NOT EXISTS )?(\w+)"
)
_ALTER = re.compile(r"\A((?:\s|--[^\n]*\n)*)ALTER TABLE (\w+)")
_ENGINE = re.compile(r"\bENGINE = (\w*MergeTree)(?:\(([^)]*)\))?")
_ORDER_BY = re.compile(r"\bORDER BY (\([^)]*\)|\w+)")
_SHARD = re.compile(r"^-- shard: (.+)$", re.MULTILINE)


def tables_of(statements: Iterable[str]) -> frozenset[str]:
    """Return the names of the tables that the statements create."""
    found = (_CREATE.match(statement) for statement in statements)
    return frozenset(match[4] for match in found if match is not None and match[3] == "TABLE")


def render(statement: str, cluster: str, database: str, tables: frozenset[str]) -> list[str]:
    """Return what a statement is on a cluster; `tables` are those that the migrations create."""
    on = f"ON CLUSTER '{cluster}'"
    if (altered := _ALTER.match(statement)) is not None:
        comment, name, change = *altered.groups(), statement[altered.end() :]
        if _ALONE in change:
            return []
        return [f"{comment}ALTER TABLE {each} {on}{change}" for each in (name + _LOCAL, name)]
    match = _CREATE.match(statement)
    if match is None:
        return [statement]
    comment, replacing, kind, name = match.groups()
    rest = statement[match.end() :]
    if kind == "TABLE":
        local = f"{comment}CREATE TABLE IF NOT EXISTS {name}{_LOCAL} {on}{_replicated(rest)}"
        spread = (
            f"CREATE TABLE IF NOT EXISTS {name} {on} AS {database}.{name}{_LOCAL} "
            f"ENGINE = Distributed('{cluster}', '{database}', '{name}{_LOCAL}', {_shard(comment, rest)})"
        )
        return [local, spread]
    if kind == "MATERIALIZED VIEW":
        rest = re.sub(r"\b(?:FROM|TO) (\w+)", lambda each: _localized(each, tables), rest)
    create = f"CREATE OR REPLACE {kind}" if replacing else f"CREATE {kind} IF NOT EXISTS"
    return [f"{comment}{create} {name} {on}{rest}"]


def _localized(match: re.Match[str], tables: frozenset[str]) -> str:
    return match[0] + _LOCAL if match[1] in tables else match[0]


def _replicated(text: str) -> str:
    def engine(match: re.Match[str]) -> str:
        arguments = ", ".join(filter(None, (_REPLICA, match[2])))
        return f"ENGINE = Replicated{match[1]}({arguments})"

    return _ENGINE.sub(engine, text).replace(_ALONE, _ALONE.removeprefix("non_"))


def _shard(comment: str, text: str) -> str:
    named = _SHARD.search(comment)
    if named is not None:
        return named[1]
    ordered = _ORDER_BY.search(text)
    return f"cityHash64({ordered[1].strip('()')})" if ordered else "rand()"
