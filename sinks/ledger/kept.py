"""What an audit found, kept for those who look later: a row of `audits`."""

from __future__ import annotations

import orjson

from core.clickhouse import ClickHouse
from core.clock import iso
from sinks.ledger.audit import Ledger


async def keep(clickhouse: ClickHouse, ledger: Ledger, since: int, begun: int) -> None:
    """Store what an audit begun at that time found of what was received from `since` on, epoch ms.

    One that found records under way has judged nothing, and leaves no row.
    """
    if ledger.under_way:
        return
    named = [
        {"check": each.check, "meaning": each.meaning, "row": orjson.dumps(each.row).decode()}
        for each in ledger.differences
    ]
    row = {"audit_time": iso(begun), "since": iso(since), "until": iso(begun), "differences": named}
    await clickhouse.insert("audits_log", orjson.dumps(row), token=f"audit-{begun}")
