"""Many viewers cost one query."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import ReceiptstreamError, WarehouseUnavailableError
from dashboard import snapshots
from dashboard.snapshots import FRESH_S, PATIENT, QUICK, Snapshot, Snapshots


class Work:
    """Something to work out, which ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_all_who_ask_at_once_share_one_answer() -> None:
    kept, work = Snapshots(), Work()
    asking = [asyncio.create_task(kept.need("k", work, wait_s=5)) for _ in range(20)]
    await asyncio.sleep(0)
    work.go.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert await kept.need("k", work, wait_s=5) == 1
    assert work.begun == 1


async def test_what_takes_long_is_shown_as_it_was_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "FRESH_S", 0.0)
    kept, work = Snapshots(), Work()
    assert await kept.need("k", work, wait_s=0, times=0) is None
    work.go.set()
    assert await kept.need("k", work, wait_s=5, times=0) == 1
    work.go.clear()
    assert await kept.need("k", work, wait_s=0, times=0) == 1
    work.go.set()
    assert await kept.need("k", work, wait_s=5, times=0) == 2


def test_what_took_long_is_kept_longer() -> None:
    snapshot = Snapshot(value=1, took_s=3.0, tried_at=100.0)
    assert not snapshot.stale(100.0 + 2.9 * QUICK, QUICK)
    assert snapshot.stale(100.0 + 3.0 * QUICK, QUICK)
    assert not snapshot.stale(100.0 + 2.9 * PATIENT, PATIENT)
    quick = Snapshot(value=1, took_s=0.01, tried_at=100.0)
    assert not quick.stale(100.0 + 0.9 * FRESH_S, QUICK)
    assert quick.stale(100.0 + FRESH_S, QUICK)


async def test_a_failure_is_told_and_not_repeated_at_once() -> None:
    kept, work = Snapshots(), Work()
    work.error = WarehouseUnavailableError("away")
    work.go.set()
    for _ in range(3):
        with pytest.raises(WarehouseUnavailableError):
            await kept.need("k", work, wait_s=5)
    assert work.begun == 1


async def test_a_defect_is_told_as_one_and_ends_the_waiting() -> None:
    kept, work = Snapshots(), Work()
    work.error = ZeroDivisionError("a defect")
    work.go.set()
    with pytest.raises(ReceiptstreamError, match="could not be worked out"):
        await kept.need("k", work, wait_s=5)
    work.error = None
    (await kept.get("k", work, wait_s=5)).tried_at = float("-inf")
    assert await kept.need("k", work, wait_s=5) == 2


async def test_a_failed_renewal_keeps_what_was_known() -> None:
    kept, work = Snapshots(), Work()
    work.go.set()
    assert await kept.need("k", work, wait_s=5) == 1
    snapshot = await kept.get("k", work, wait_s=5)
    snapshot.tried_at = float("-inf")
    work.error = WarehouseUnavailableError("away")
    snapshot = await kept.get("k", work, wait_s=5)
    assert snapshot.value == 1
    assert snapshot.error is work.error


async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST", 2)
    kept, work = Snapshots(), Work()
    work.go.set()
    for key in "abc":
        await kept.need(key, work, wait_s=5)
    assert await kept.need("c", work, wait_s=5) == 3
    assert await kept.need("a", work, wait_s=5) == 4


async def test_closing_ends_what_is_under_way() -> None:
    kept, work = Snapshots(), Work()
    snapshot = await kept.get("k", work, wait_s=0)
    task = snapshot.task
    assert task is not None
    await kept.close()
    assert task.cancelled()
