"""After a setting changed, a restatement leaves what the new one makes of the same raw records, and nothing else."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from core.settings import parse
from sandbox.answer_key import answer, compare, describe
from sandbox.answer_key.collect import collect
from sandbox.demo.actual import reading
from tests.end_to_end.apart import Apart, audit, sql

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
MINUTES = 30
LATE = "SELECT sum(late) FROM channel_windows"


async def becomes_equal(processor: Apart, minutes: int) -> None:
    """Wait until the tables are the answer key of Kafka's records for this WINDOW_RETENTION."""
    settings = parse({**processor.up.variables, "STATE_DIR": str(processor.up.state_dir)})
    key = answer(await collect(settings), retention_ms=minutes * 60_000)
    deadline = monotonic() + 60.0
    async with reading(settings) as warehouse:
        while differences := compare(key.tables, await warehouse.tables()):
            assert monotonic() < deadline, describe(differences)
            await asyncio.sleep(0.5)


async def test_the_tables_are_what_the_new_setting_makes_of_the_old_records(processor: Apart) -> None:
    up = processor.up
    assert audit(up)[0] == 0
    # A row that only an older rule made: the new one must not leave it.
    columns = "org_id, message_id, new_status, updated_time, received_time, time_source, raw_partition, raw_offset"
    sql(
        up,
        f"INSERT INTO transitions_log ({columns}) VALUES ('1', 'old', 'SENT', now64(3), now64(3), 'updated', 0, 77777)",
    )
    raw, late = sql(up, "SELECT count() FROM raw_events"), int(sql(up, LATE))

    refused = up.receipts("restate", "--yes", "--wait", "1")
    assert refused.returncode == 2
    assert "1 processors are running" in refused.stderr
    assert int(sql(up, LATE)) == late

    processor.stop()
    done = up.receipts("restate", "--yes")
    assert done.returncode == 0, done.stderr
    again = up.receipts("restate", "--yes")
    assert again.returncode == 0, again.stderr
    processor.start(WINDOW_RETENTION=f"{MINUTES}m")

    await becomes_equal(processor, MINUTES)
    assert sql(up, "SELECT count() FROM raw_events") == raw
    assert int(sql(up, LATE)) > late

    # The others find the chain as it was.
    processor.stop()
    assert up.receipts("restate", "--yes").returncode == 0
    processor.start()
    assert audit(up)[0] == 0
    assert int(sql(up, LATE)) == late
