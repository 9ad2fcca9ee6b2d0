"""The overview where ClickHouse comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from core.errors import WarehouseUnavailableError
from dashboard import snapshots
from dashboard.access import Gate
from dashboard.feed import Feed
from dashboard.flow import Kafka, lags, ours, stage_of
from dashboard.hub import Hub
from dashboard.overview import overview
from dashboard.parts import Parts
from dashboard.reader import MOST_WAITING, Lane, Reader

COVERAGE = {
    "org_id": "9",
    "channel_id": "7",
    "channel_type": "WHATSAPP",
    "name": "",
    "statuses": [],
    "first_heard": "2026-01-01T00:00:00.000Z",
    "last_heard": "2026-01-01T00:00:00.000Z",
    "can_report_delivered": True,
    "can_report_read": True,
}


class Warehouse:
    """Knows one channel; goes away when it is told to."""

    def __init__(self) -> None:
        self.away = False

    async def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        if self.away:
            raise WarehouseUnavailableError("ClickHouse is away")
        return [COVERAGE] if "FROM coverage" in sql else []

    async def command(self, sql: str) -> None:
        raise AssertionError

    async def insert(self, table: str, lines: bytes, *, token: str, columns: Sequence[str] = ()) -> None:
        raise AssertionError

    async def ping(self) -> None:
        raise AssertionError


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse()


@pytest.fixture
def parts(warehouse: Warehouse) -> Parts:
    hub = Hub()
    return Parts(Reader(warehouse, warehouse), Kafka(""), hub, Feed("", hub), Gate(None), None)


async def test_old_numbers_are_shown_as_such(
    parts: Parts, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "FRESH_S", 0.0)
    first = await overview(parts, {})
    assert first.problem == ""
    warehouse.away = True
    async with asyncio.timeout(20):
        while not (second := await overview(parts, {})).problem:
            await asyncio.sleep(0.01)
    assert second.problem == "ClickHouse is away"
    assert second.as_of == first.as_of
    assert [each.channel.channel_id for each in second.channels] == ["7"]


async def test_where_nothing_is_known_the_reason_is_told(parts: Parts, warehouse: Warehouse) -> None:
    warehouse.away = True
    with pytest.raises(WarehouseUnavailableError):
        await overview(parts, {})


async def test_a_channel_without_receipts_has_zeros(parts: Parts) -> None:
    (channel,) = (await overview(parts, {"range": "1h"})).channels
    assert (channel.sent, channel.rates, sum(channel.spark)) == (0, None, 0)
    assert len(channel.spark) == 40, "two hours in bars of three minutes"


async def test_only_so_many_queries_wait(warehouse: Warehouse) -> None:
    lane = Lane(warehouse, 0)
    tasks = [asyncio.create_task(lane.rows("coverage", {})) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(WarehouseUnavailableError, match="wait for their turn"):
        await lane.rows("coverage", {})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_groups_are_named_by_their_stage() -> None:
    assert ours(["receipts", "other", "receipts-sink", "receiptsx"]) == ["receipts", "receipts-sink"]
    assert (stage_of("receipts"), stage_of("receipts-sink")) == ("processor", "sink")


def test_a_lag_is_what_has_not_been_committed() -> None:
    committed = {("im.events.raw", 0): 7, ("im.events.raw", 1): 5}
    ends = {("im.events.raw", 0): 10, ("im.events.raw", 1): 5, ("im.events.raw", 2): 4, ("im.alerts", 0): 9}
    (lag,) = lags("receipts", committed, ends)
    assert (lag.stage, lag.topic, lag.records) == ("processor", "im.events.raw", 3 + 0 + 4)
