"""The ledger in the sink role: audited every so often, as a number to alert on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka.errors import KafkaError

from core import logs, metrics
from core.clickhouse import ClickHouse
from core.clock import now_ms
from core.errors import ReceiptstreamError
from core.settings import Settings
from sinks.ledger.audit import ALWAYS, Ledger, audit
from sinks.ledger.kept import keep

log = logs.get(__name__)

LOOK_BACK_MS = 24 * 3_600_000
"""How far back the periodic audit looks; `receipts audit` looks at everything."""


async def audit_forever(settings: Settings, clickhouse: ClickHouse, mine: Callable[[], bool]) -> None:
    """Audit every AUDIT_EVERY while it is `mine`: one of several sinks does it for all. Returns when that is unset."""
    audits = False
    while settings.audit_every is not None:
        await asyncio.sleep(settings.audit_every.total_seconds())
        if not mine():
            metrics.LEDGER_DIFFERENCES.set(0)
            metrics.LEDGER_AUDITED.set(0)
            audits = False
            continue
        begun = now_ms()
        if not audits:
            # From now on one is awaited.
            metrics.LEDGER_AUDITED.set(begun / 1000)
            audits = True
        try:
            ledger = await audit(settings, clickhouse, received=(begun - LOOK_BACK_MS, ALWAYS[1]))
            await keep(clickhouse, ledger, begun - LOOK_BACK_MS, begun)
        except (ReceiptstreamError, KafkaError, OSError, ValueError) as error:
            log.warning("audit_failed", error=str(error))
        else:
            note(ledger)


def note(ledger: Ledger) -> None:
    """Tell what an audit found; one that found records under way says nothing new."""
    if ledger.under_way:
        log.info("audit_put_off", under_way=ledger.under_way)
        return
    metrics.LEDGER_AUDITED.set(now_ms() / 1000)
    metrics.LEDGER_DIFFERENCES.set(len(ledger.differences))
    for each in ledger.differences[:10]:
        log.error("ledger_differs", check=each.check, meaning=each.meaning, row=each.row)
