"""The spool as the event loop sees it: who waits for the disk, what is refused, what is handed back."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingest.spool import spool as module
from ingest.spool.spool import Spool


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = Spool(tmp_path, 10_000)
    assert await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def held_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make every fsync wait for the event."""
    event = threading.Event()
    real = os.fdatasync

    def wait(fd: int) -> None:
        assert event.wait(20)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", wait)
    return event


async def payloads(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while spool.unread:
        chunk = await spool.read()
        found += [payload for payload, _ in chunk.items]
        await spool.commit(chunk.position)
    return found


async def test_what_is_appended_while_the_disk_is_busy_shares_the_next_write(
    spool: Spool, held_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = spool.append(b"a")
    await asyncio.sleep(0)
    rest = [spool.append(b"%d" % number) for number in range(50)]
    assert not first.done()
    held_disk.set()
    assert set(await asyncio.gather(first, *rest)) == {True}
    assert await payloads(spool) == [b"a", *(b"%d" % number for number in range(50))]
    assert not spool.pending
    assert spool.size == 0


async def test_a_full_spool_refuses_at_once(spool: Spool) -> None:
    assert await spool.append(b"x" * 9_000)
    assert not await spool.append(b"x" * 2_000)
    assert not spool.full, "something smaller still fits"
    assert await spool.append(b"x" * 100)
    assert len(await payloads(spool)) == 2
    assert await spool.append(b"x" * 9_000)


async def test_a_disk_that_does_not_answer_holds_only_so_much(
    tmp_path: Path, held_disk: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 1000)
    spool = Spool(tmp_path, 2**30)
    await spool.open()
    waiting = [spool.append(b"x" * 400)]
    await asyncio.sleep(0)
    waiting += [spool.append(b"x" * 400), spool.append(b"x" * 400)]
    assert not waiting[1].done()
    assert waiting[2].done()
    assert not waiting[2].result()
    held_disk.set()
    assert await asyncio.gather(*waiting) == [True, True, False]
    await spool.close()


async def test_who_gave_up_before_the_write_is_not_written(spool: Spool, held_disk: threading.Event) -> None:
    first, second, third = spool.append(b"a"), spool.append(b"b"), spool.append(b"c")
    second.cancel()
    held_disk.set()
    assert await first
    assert await third
    assert await payloads(spool) == [b"a", b"c"]


async def test_a_ticket_comes_back_with_its_payload(spool: Spool) -> None:
    ticket: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    await asyncio.gather(spool.append(b"a"), spool.append(b"b", ticket), spool.append(b"c"))
    chunk = await spool.read()
    assert chunk.items == [(b"a", None), (b"b", ticket), (b"c", None)]
    await spool.rewind()
    assert (await spool.read()).items == chunk.items
    await spool.commit(chunk.position)


async def test_a_disk_error_refuses_and_the_next_write_is_tried(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        assert set(await asyncio.gather(spool.append(b"a"), spool.append(b"b"))) == {False}
        assert spool.fault == "Input/output error"
    assert await spool.append(b"c")
    assert spool.fault == ""
    assert await payloads(spool) == [b"c"]


async def test_a_spool_tells_how_old_its_oldest_events_may_be(spool: Spool) -> None:
    ages = [spool.oldest_ms]
    await spool.append(b"a")
    ages.append(spool.oldest_ms)
    await payloads(spool)
    ages.append(spool.oldest_ms)
    assert ages[0] is ages[2] is None
    assert isinstance(ages[1], int)


async def test_what_is_set_aside_is_a_file(spool: Spool, tmp_path: Path) -> None:
    await spool.set_aside(b"too large")
    (file,) = await asyncio.to_thread(lambda: list(tmp_path.rglob("*.aside")))
    assert await asyncio.to_thread(file.read_bytes) == b"too large"
    assert not spool.unread
