"""The periodic audit: what its metrics say while it cannot be done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import cast

import pytest

from core import metrics
from core.clickhouse import ClickHouse
from core.clock import now_ms
from core.errors import WarehouseUnavailableError
from core.settings import parse
from sinks.ledger import periodic


async def test_an_audit_that_fails_leaves_the_time_of_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()

    async def away(*_: object, **__: object) -> None:
        tried.set()
        raise WarehouseUnavailableError("ClickHouse is away")

    monkeypatch.setattr(periodic, "audit", away)
    before = now_ms() / 1000
    task = asyncio.create_task(
        periodic.audit_forever(parse({"AUDIT_EVERY": "10ms"}), cast("ClickHouse", None), lambda: True)
    )
    await asyncio.wait_for(tried.wait(), 10)
    begun = metrics.LEDGER_AUDITED._value.get()
    assert begun >= before
    tried.clear()
    await asyncio.wait_for(tried.wait(), 10)
    assert metrics.LEDGER_AUDITED._value.get() == begun
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_sink_that_does_not_audit_tells_no_time() -> None:
    metrics.LEDGER_AUDITED.set(1)
    asked = asyncio.Event()

    def mine() -> bool:
        asked.set()
        return False

    task = asyncio.create_task(periodic.audit_forever(parse({"AUDIT_EVERY": "10ms"}), cast("ClickHouse", None), mine))
    await asyncio.wait_for(asked.wait(), 10)
    await asyncio.sleep(0)
    assert metrics.LEDGER_AUDITED._value.get() == 0
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
