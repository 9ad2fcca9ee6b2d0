"""How long the ledger's queries take on many events.

`python -m bench.audit [EVENTS]`: a ClickHouse engine of its own, raw events, transitions and windows made in it as the
sinks would have written them, their merges done; then each query ROUNDS times. What was made is whole, so that every
check must find nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import questions
from core.clickhouse import HttpClickHouse
from core.settings import parse
from sinks.ledger.audit import ALWAYS, CHECKS, LIMIT, query

EVENTS = 10_000_000
ROUNDS = 2
A_MESSAGE = 2.5
"""Events a message: 1.0 SENT, 0.9 DELIVERED, 0.6 READ."""
_RAW = """
INSERT INTO raw_events_log (org_id, event_type, message_id, session_id, channel_id, received_time, source, delivery,
    status, status_time, raw_partition, raw_offset, body)
SELECT org_id, 'IM_Message_Status', message_id, session_id, channel_id, received_time, 'webhook',
    toString(intDiv(raw_offset, 100)), new_status, updated_time, raw_partition, raw_offset,
    concat('{{"eventTime":"', toString(toUnixTimestamp64Milli(updated_time)),
        '","eventType":"IM_Message_Status","orgId":"', org_id, '","payload":{{"channelId":"', channel_id,
        '","messageId":"', message_id, '","sessionId":"', session_id, '","messageOldStatus":"', old_status,
        '","messageNewStatus":{{"status":"', new_status, '","updatedTime":"',
        replaceOne(toString(updated_time), ' ', 'T'), 'Z"}}}}}}')
FROM transitions_log
WHERE raw_partition = {partition} AND modulo(cityHash64(message_id), {parts}) = {part}
"""
PARTS = 8


@asynccontextmanager
async def whole(events: int) -> AsyncIterator[HttpClickHouse]:
    """Yield a client of an engine that holds this many raw events and all that follows from them."""
    async with questions.filled(int(events / A_MESSAGE)) as (_, clickhouse):
        # Made for the questions, of messages that are in no record here.
        await clickhouse.command("TRUNCATE TABLE raw_events_log")
        await clickhouse.command("TRUNCATE TABLE dead_letters_log")
        await clickhouse.command("TRUNCATE TABLE channel_windows_log")
        await clickhouse.command(questions.WINDOWS.format(where="1"))
        for partition in range(4):
            for part in range(PARTS):
                await clickhouse.command(_RAW.format(partition=partition, parts=PARTS, part=part))
        await questions.settled(clickhouse)
        yield clickhouse


async def measure(events: int = EVENTS) -> dict[str, list[float]]:
    """Return the seconds of each round of each query, and of all. Raises SystemExit where a check finds anything."""
    retention = int(parse({}).window_retention.total_seconds() * 1000)
    parameters = {"since": ALWAYS[0], "until": ALWAYS[1], "limit": LIMIT, "retention": retention}
    found: dict[str, list[float]] = {}
    async with whole(events) as clickhouse:
        rows = await clickhouse.rows("SELECT toInt64(count()) AS n FROM raw_events")
        for name in (*CHECKS, "receipts", "entries"):
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                answer = await clickhouse.rows(query(name), parameters)
                found.setdefault(name, []).append(time.perf_counter() - begun)
                if name in CHECKS and answer:
                    raise SystemExit(f"{name} found a difference where there is none: {answer[0]}")
    found[f"all, on {rows[0]['n']:,} events"] = [sum(each[turn] for each in found.values()) for turn in range(ROUNDS)]
    return found


report, results = questions.report, questions.results


def main() -> None:
    """Measure."""
    given = [int(text) for text in sys.argv[1:] if text.isdecimal()]
    print(questions.report(asyncio.run(measure(*given))))


if __name__ == "__main__":
    main()
