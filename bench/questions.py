"""How long the questions of docs/queries.md take, and what the contract's views cost, on many messages.

`python -m bench.questions [MESSAGES]`: a ClickHouse engine of its own, rows made in it as the sinks would have written
them, their merges done; then each query ROUNDS times, the fastest counts. With `--answers`, docs/queries.md gets what
each of its queries answers.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import clickhouse_connect

from bench.output import Result
from core.clickhouse import HttpClickHouse, connect
from core.settings import parse
from sandbox.demo.run import environ_of
from sandbox.stack import Stack
from sinks.migrate import migrate, released

MESSAGES = 10_000_000
STEP = 500_000
ROUNDS = 3
SHOWN = 20_000
PAGE = Path(__file__).parents[1] / "docs" / "queries.md"
VIEWS = {
    "view channel_rates, whole": "SELECT * FROM channel_rates ORDER BY org_id, channel_id, hour",
    "view message_state, counted by status": "SELECT status, count() FROM message_state GROUP BY status",
    "view message_state, one message": "SELECT * FROM message_state WHERE message_id = '5000700100000000123'",
    "view transitions, one message": "SELECT * FROM transitions WHERE message_id = '5000700100000000123'",
    "view transitions, counted": "SELECT count() FROM transitions",
    "view channel_windows, sums": "SELECT channel_id, sum(sent), sum(read) FROM channel_windows GROUP BY channel_id",
    "view alerts, by state": "SELECT rule, state, count() FROM alerts GROUP BY rule, state",
    "view coverage": "SELECT * FROM coverage",
    "view channels": "SELECT * FROM channels",
}

_MADE = """
SELECT
    number AS i, intHash64(number) AS h, '106553778' AS org_id,
    concat('5000700000000', toString(4080 + intHash32(number) % 12)) AS channel_id,
    concat('5000700', toString(100000000000 + intDiv(number, 6))) AS session_id,
    concat('5000700', toString(100000000000 + number)) AS message_id,
    now64(3, 'UTC') - toIntervalMillisecond(intDiv(toUInt64({messages} - number) * 2592000000, {messages})) AS sent,
    200 + h % 30000 AS d, 5000 + intHash64(number + 7) % 3600000 AS r
FROM numbers({first}, {count})
"""
_STATUSES = (
    ("SENT", "", "h % 1000 != 1", "sent", "NONE", "NONE"),
    ("DELIVERED", "SENT", "h % 10 < 9 AND h % 1000 != 2", "sent + toIntervalMillisecond(d)", "d", "NONE"),
    ("READ", "DELIVERED", "h % 10 < 6", "sent + toIntervalMillisecond(d + r)", "NONE", "r"),
)
_TRANSITIONS = """
INSERT INTO transitions_log (org_id, channel_id, session_id, message_id, old_status, new_status, updated_time,
    event_time, received_time, time_source, implied, out_of_order, contradiction, sent_to_delivered_ms,
    delivered_to_read_ms, raw_partition, raw_offset)
SELECT org_id, channel_id, session_id, message_id, '{old}', '{new}', {at}, {at}, {at} + INTERVAL 300 MILLISECOND,
    'updated', 0, false, '{new}' = 'READ' AND h % 500 = 0, {delivered}, {read}, i % 4, i * 3 + {order}
FROM ({made}) WHERE {told} AND {at} <= now64(3)
"""
_CREATIONS = """
INSERT INTO raw_events_log (org_id, event_type, message_id, session_id, channel_id, received_time, source, delivery,
    raw_partition, raw_offset, body)
SELECT org_id, 'IM_Message_Add', message_id, session_id, channel_id, sent, 'simulator', '', i % 4, i * 3 + 100000000000,
    concat('{{"payload":{{"integration":"', type, '","direction":"OUT","createdTime":"',
        toString(toUnixTimestamp64Milli(sent)), '"}}}}')
FROM (SELECT *, ['WHATSAPP', 'FACEBOOKMESSENGER', 'INSTAGRAM', 'IM_TALK', ''][1 + toUInt64(channel_id) % 5] AS type
    FROM ({made})) WHERE i % 10 = 0 AND type != ''
"""
_TOLD_HOURS = "NOT (toHour(updated_time) = 3 AND toDayOfMonth(updated_time) % 9 = toUInt64(channel_id) % 9)"
"""Each channel is silent for an hour now and then, for the question after outages."""
WINDOWS = """
INSERT INTO channel_windows_log (org_id, channel_id, window_start, sent, delivered, read, contradictions, version)
SELECT org_id, channel_id, toDateTime64(toStartOfMinute(updated_time), 3, 'UTC') AS minute,
    countIf(new_status = 'SENT'), countIf(new_status = 'DELIVERED'), countIf(new_status = 'READ'),
    countIf(contradiction), 1
FROM transitions_log
WHERE {where}
GROUP BY org_id, channel_id, minute
"""
_ALERTS = """
INSERT INTO alerts_log (alert_id, rule, state, followup, org_id, channel_id, session_id, message_id, due_time,
    opened_time, resolved_time)
SELECT concat('delivered_not_read:', org_id, ':', message_id), 'delivered_not_read',
    if(h % 10 >= 6, 'open', 'resolved'), true, org_id, channel_id, session_id, message_id, sent + INTERVAL 24 HOUR,
    sent + INTERVAL 24 HOUR,
    if(h % 10 >= 6, toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), sent + INTERVAL 26 HOUR)
FROM ({made}) WHERE h % 10 < 9 AND h % 1000 >= 990 AND sent < now() - INTERVAL 24 HOUR
"""
_LETTERS = """
INSERT INTO dead_letters_log (stage, reason, topic, partition, offset, failed_at, body, org_id, dead_partition,
    dead_offset)
SELECT 'ingress', ['no_event_type', 'not_an_object'][1 + number % 2], '', -1, -1, now64(3, 'UTC') - number * 60, '[]',
    '106553778', 0, number FROM numbers(12)
"""
_NONE = "-9223372036854775808"


class Query(NamedTuple):
    """A query of the page, by its heading; `part` counts the queries under one heading."""

    heading: str
    part: int
    sql: str
    shown: str
    """The output that the page shows."""
    block: str
    """Both, as they stand in the page."""


def read(page: str) -> list[Query]:
    """Return the queries of docs/queries.md in order."""
    found = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading = section.split("\n", 1)[0]
        blocks = re.finditer(r"```sql\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", section, flags=re.DOTALL)
        for part, block in enumerate(blocks):
            found.append(Query(heading, part, block[1].strip(), block[2] or "", block[0]))
    return found


async def fill(clickhouse: HttpClickHouse, messages: int) -> None:
    """Make messages of the last 30 days on 12 channels, with all that the sinks would have stored of them."""
    for first in range(0, messages, STEP):
        made = _MADE.format(first=first, count=min(STEP, messages - first), messages=messages)
        await clickhouse.command(_CREATIONS.format(made=made))
        for order, (new, old, told, at, delivered, read) in enumerate(_STATUSES):
            latencies = {"delivered": delivered.replace("NONE", _NONE), "read": read.replace("NONE", _NONE)}
            await clickhouse.command(
                _TRANSITIONS.format(made=made, new=new, old=old, told=told, at=at, order=order, **latencies)
            )
        await clickhouse.command(_ALERTS.format(made=made))
    await clickhouse.command(WINDOWS.format(where=_TOLD_HOURS))
    await clickhouse.command(_LETTERS)


async def settled(clickhouse: HttpClickHouse) -> None:
    """Wait until the engine merges nothing: rows of a month have not come within a minute."""
    while (await clickhouse.rows("SELECT toInt32(count()) AS n FROM system.merges"))[0]["n"]:  # noqa: ASYNC110 -- no event
        await asyncio.sleep(0.5)


@asynccontextmanager
async def filled(messages: int) -> AsyncIterator[tuple[str, HttpClickHouse]]:
    """Start an engine, make the tables and fill them; yields its URL and a client."""
    with TemporaryDirectory(prefix="receiptstream-bench-") as folder:
        async with Stack(Path(folder), environ=environ_of(os.environ), roles={"warehouse"}) as stack:
            settings = parse({"CLICKHOUSE_URL": stack.clickhouse_url, "STATE_DIR": folder})
            async with connect(settings, database="default") as server:
                await server.command(f"CREATE DATABASE IF NOT EXISTS {settings.clickhouse_database}")
            async with connect(settings, timeout_s=900) as clickhouse:
                await migrate(clickhouse, released())
                await fill(clickhouse, messages)
                await settled(clickhouse)
                yield stack.clickhouse_url, clickhouse


async def measure(messages: int = MESSAGES) -> dict[str, list[float]]:
    """Return the seconds of each round of each query."""
    asked = {
        f"{each.heading} {each.part + 1 if each.part else ''}".strip(): each.sql for each in read(PAGE.read_text())
    }
    found: dict[str, list[float]] = {}
    async with filled(messages) as (_, clickhouse):
        for name, sql in {**asked, **VIEWS}.items():
            found[name] = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                await clickhouse.command(f"{sql} FORMAT Null")
                found[name].append(time.perf_counter() - begun)
    return found


async def answered(messages: int) -> str:
    """Return docs/queries.md with what each query answers now."""
    page = PAGE.read_text()
    async with filled(messages) as (url, _):
        client = clickhouse_connect.get_client(dsn=url, database="receipts")
        try:
            for each in read(page):
                settings = {"output_format_pretty_color": 0, "output_format_pretty_row_numbers": 0}
                shown = client.raw_query(each.sql, fmt="PrettyCompactMonoBlock", settings=settings).decode()
                page = page.replace(each.block, f"```sql\n{each.sql}\n```\n\n```text\n{shown}```\n", 1)
        finally:
            client.close()
    return page


def report(found: dict[str, list[float]]) -> str:
    """Return a line for each query: its fastest and its slowest round."""
    return "\n".join(f"{name:<64} {min(took):>7.3f} s {max(took):>7.3f} s" for name, took in found.items())


def results(found: dict[str, list[float]]) -> list[Result]:
    """Return the lines of the plot."""
    return [Result(name, took, "s", ours=True) for name, took in found.items()]


def main() -> None:
    """Measure, or renew the page's outputs."""
    given = [int(text) for text in sys.argv[1:] if text.isdecimal()]
    if "--answers" in sys.argv:
        PAGE.write_text(asyncio.run(answered(*(given or [SHOWN]))))
    else:
        print(report(asyncio.run(measure(*(given or [MESSAGES])))))


if __name__ == "__main__":
    main()
