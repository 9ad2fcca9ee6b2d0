"""A Kafka cluster is lost: a new one is filled from ClickHouse, and every table says what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest

from tests.end_to_end.apart import Apart, audit, sql
from tests.stack import Up, no_roles, run

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

NEW = {"CLICKHOUSE_DATABASE": "anew"}
SKETCHES = ("sent_to_delivered_sketch", "delivered_to_read_sketch")
# Without what names a place in Kafka: those are new.
SAME = {
    "transitions": "* EXCEPT (raw_partition, raw_offset)",
    "message_state": "*",
    "channel_windows": f"* EXCEPT version REPLACE ({', '.join(f'mapSort({name}) AS {name}' for name in SKETCHES)})",
    "raw_events": "* EXCEPT (raw_partition, raw_offset)",
    "alerts": "*",
}
# An alert that comes due while the records come opens by the processor's clock, and is resolved by a record that was
# under way: whether it was there at all, the records alone do not say (docs/reliability.md).
SETTLED = {"alerts": "WHERE due_time < (SELECT min(received_time) FROM {database}.raw_events)"}


@pytest.fixture(scope="module")
def anew(processor: Apart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a stack with a Kafka of its own on the ClickHouse of the other one, in another database."""
    environ = {"CLICKHOUSE_URL": processor.up.clickhouse, **NEW}
    with Up(tmp_path_factory.mktemp("anew"), environ, no_roles("processor", "sink")) as stack:
        yield stack


def said(up: Up, database: str) -> dict[str, str]:
    found = {}
    for name, columns in SAME.items():
        where = SETTLED.get(name, "").format(database=database)
        found[name] = sql(up, f"SELECT {columns} FROM {database}.{name} {where} ORDER BY ALL FORMAT JSONEachRow")
    return found


def test_a_new_kafka_with_the_old_events_gives_the_old_tables(processor: Apart, anew: Up) -> None:
    assert audit(processor.up)[0] == 0
    old = said(processor.up, "receipts")
    assert all(old.values())
    done = restore(anew)
    assert (done.returncode, done.stdout) == (0, f"{len(old['raw_events'].splitlines())} records sent\n"), done.stderr
    again = restore(anew)
    assert (again.returncode, again.stdout) == (0, "0 records sent\n")
    deadline = time.monotonic() + 60
    while (found := said(anew, "anew")) != old and time.monotonic() < deadline:
        time.sleep(0.5)
    for name, rows in old.items():
        assert found[name] == rows, name


def test_it_goes_into_no_topic_that_has_other_records(processor: Apart, anew: Up) -> None:
    up = processor.up
    refused = up.receipts("restore", "--from-database", "receipts")
    assert refused.returncode == 2
    assert "is the database to restore from" in refused.stderr
    sql(anew, "CREATE DATABASE less")
    sql(anew, "CREATE VIEW less.raw_events AS SELECT * FROM receipts.raw_events WHERE cityHash64(delivery) % 3 = 0")
    other = restore(anew, "less")
    assert other.returncode == 2
    assert "holds records that are not those" in other.stderr


def restore(up: Up, source: str = "receipts") -> CompletedProcess[str]:
    return run("restore", "--from-database", source, "--state-dir", str(up.state_dir), environ=NEW)
