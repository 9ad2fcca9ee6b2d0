"""A replay of everything, twice, from both sources: no table changes, and the ledger balances."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.topics import RAW
from tests.end_to_end.apart import audit, named, sql
from tests.stack import Up, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

TABLES = ("raw_events", "transitions", "message_state", "channel_windows", "channel_rates", "alerts", "dead_letters")
ALL = ("--from", "2001-01-01", "--to", "2101-01-01")


def tables(up: Up) -> dict[str, str]:
    return {name: sql(up, f"SELECT * FROM {name} ORDER BY ALL FORMAT JSONEachRow") for name in TABLES}


@pytest.mark.parametrize("source", ["kafka", "clickhouse"])
def test_a_replay_changes_nothing(apart: Up, source: str) -> None:
    assert audit(apart)[0] == 0
    before = tables(apart)
    count = len(before["raw_events"].splitlines())
    for _ in range(2):
        done = apart.receipts("replay", *ALL, "--source", source)
        assert (done.returncode, done.stdout) == (0, f"{count} records sent again\n"), done.stderr
    code, found = audit(apart)
    assert (code, named(found)) == (0, [])
    # The windows are published again, at most once a second: with the same counts.
    until(lambda: tables(apart) == before, within_s=20, what="the same tables")


def test_a_dry_run_sends_nothing(apart: Up) -> None:
    before = ends(apart)
    done = apart.receipts("replay", *ALL, "--dry-run")
    assert done.returncode == 0
    assert done.stdout.endswith("would be sent again\n")
    assert ends(apart) == before


def test_org_and_channel_narrow_it_alike_in_both_sources(apart: Up) -> None:
    org, channel, count = sql(
        apart,
        "SELECT org_id, channel_id, count() FROM raw_events WHERE event_type = 'IM_Message_Status' "
        "GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1",
    ).split()
    for source in ("kafka", "clickhouse"):
        done = apart.receipts("replay", *ALL, "--dry-run", "--source", source, "--org", org, "--channel", channel)
        assert done.stdout == f"{count} records would be sent again\n"


def test_a_range_in_which_nothing_came_is_a_no(apart: Up) -> None:
    done = apart.receipts("replay", "--from", "2001-01-01", "--to", "2001-01-02", "--source", "clickhouse")
    assert (done.returncode, done.stdout) == (1, "0 records sent again\n")


def ends(up: Up) -> object:
    """Return the end offsets of the raw topic."""

    async def ask() -> object:
        async with AIOKafkaConsumer(RAW, bootstrap_servers=up.kafka) as consumer:
            return await consumer.end_offsets(consumer.assignment())

    return asyncio.run(ask())
