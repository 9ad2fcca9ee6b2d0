"""The same numbered files on a cluster: what is rendered, and that ClickHouse can read it."""

from __future__ import annotations

import re

import pytest

from core.clickhouse import connect
from core.settings import parse
from sinks.cluster import render, tables_of
from sinks.migrate import Cluster, released, statements_of

CLUSTER = Cluster("main", "receipts")
RENDERED = [text for each in released() for text in statements_of(each, released(), CLUSTER)]
TABLES = tables_of(statement for each in released() for statement in each.statements)


def created(kind: str) -> dict[str, str]:
    """Return the rendered statements of a kind, by the name of what they create."""
    pattern = re.compile(rf"^CREATE {kind} IF NOT EXISTS (\w+) ON CLUSTER 'main'", re.MULTILINE)
    return {match[1]: match.string for match in map(pattern.search, RENDERED) if match is not None}


def test_every_table_is_replicated_on_its_shard_and_spread_over_all_of_them() -> None:
    made = created("TABLE")
    assert made.keys() == TABLES | {f"{name}_local" for name in TABLES}
    for name in TABLES:
        assert re.search(
            r"ENGINE = Replicated(Replacing|Aggregating)MergeTree\('/clickhouse/tables/", made[f"{name}_local"]
        )
        assert "non_replicated" not in made[f"{name}_local"]
        assert f"Distributed('main', 'receipts', '{name}_local', " in made[name]


def test_all_of_a_message_lives_on_one_shard() -> None:
    by_message = "cityHash64(org_id, message_id))"
    made = created("TABLE")
    for name in ("raw_events_log", "transitions_log", "message_state_log"):
        assert made[name].endswith(by_message) or made[name].endswith(f"{by_message})"), made[name]


def test_what_feeds_a_table_stays_on_its_shard() -> None:
    for text in created("MATERIALIZED VIEW").values():
        named = re.findall(r"\b(?:FROM|TO) (\w+_log\w*)", text)
        assert len(named) >= 2
        assert all(name.endswith("_local") for name in named)


def test_views_read_the_whole_cluster() -> None:
    views = created("VIEW")
    assert {"message_state", "channel_rates", "transitions"} <= views.keys()
    assert not any("_local" in text for text in views.values())


def test_a_table_without_a_shard_line_is_spread_by_its_key() -> None:
    text = "CREATE TABLE x (a UInt8) ENGINE = ReplacingMergeTree(a)\nORDER BY (a, b)"
    local, spread = render(text, "c", "d", frozenset({"x"}))
    assert "ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', a)" in local
    assert spread.endswith("'x_local', cityHash64(a, b))")


def test_what_creates_nothing_is_left_as_it_is() -> None:
    assert render("SELECT 1", "c", "d", frozenset()) == ["SELECT 1"]


@pytest.mark.stack
async def test_clickhouse_can_read_every_statement(warehouse: str) -> None:
    async with connect(parse({"CLICKHOUSE_URL": warehouse}), database="default") as clickhouse:
        for text in RENDERED:
            assert await clickhouse.rows(f"EXPLAIN AST {text}")


def test_a_change_is_made_on_each_server_s_table_and_on_the_one_over_them() -> None:
    local, spread = render("-- Why.\nALTER TABLE x\n ADD COLUMN b UInt8", "c", "d", frozenset({"x"}))
    assert "ALTER TABLE x_local ON CLUSTER 'c'\n ADD COLUMN b UInt8" in local
    assert "ALTER TABLE x ON CLUSTER 'c'\n ADD COLUMN b UInt8" in spread


def test_tokens_stay_where_keeper_holds_them() -> None:
    alone = "ALTER TABLE x MODIFY SETTING non_replicated_deduplication_window = 0"
    assert render(alone, "c", "d", frozenset({"x"})) == []


def test_a_view_is_replaced_on_all_servers() -> None:
    made = render("CREATE OR REPLACE VIEW v AS SELECT a FROM x", "c", "d", frozenset({"x"}))
    assert made == ["CREATE OR REPLACE VIEW v ON CLUSTER 'c' AS SELECT a FROM x"]
