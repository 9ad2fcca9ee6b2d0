"""Where a delivery becomes durable, by the time that is left for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ingest.delivery import Delivery, build
from ingest.drain import Drain
from ingest.spool.spool import Spool
from ingest.store import Store
from tests.ingest.making import split_of
from tests.ingest.test_publisher import FakeLink, publishing

BUDGET_S = 0.4


@asynccontextmanager
async def storing(link: FakeLink, root: Path) -> AsyncIterator[Store]:
    """Give a store whose Kafka is `link`."""
    async with publishing(link, budget_s=BUDGET_S) as publisher:
        spool = Spool(root, 100_000)
        await spool.open()
        try:
            yield Store(publisher, spool, Drain(spool, publisher))
        finally:
            await spool.close()


def delivery() -> Delivery:
    return build(split_of([(b"k", b"v")]), 0, received_ms=1, delivery="d", source="webhook")


def segments(folder: Path) -> int:
    """Count the files with spooled events."""
    return len(list(folder.rglob("*.segment")))


def link() -> FakeLink:
    found = FakeLink()
    found.limits = type(found.limits)(1, 1, 100_000, 100_000)
    return found


async def test_with_time_enough_kafka_is_waited_for(tmp_path: Path) -> None:
    kafka = link()
    async with storing(kafka, tmp_path) as store:
        keeping = asyncio.ensure_future(store.keep(delivery(), asyncio.get_running_loop().time() + 60))
        (await kafka.next())[2].set_result(None)
        assert await keeping is True
    assert segments(tmp_path) == 0


async def test_with_less_time_than_kafka_may_take_the_disk_is_asked_at_once(tmp_path: Path) -> None:
    kafka = link()
    async with storing(kafka, tmp_path) as store:
        assert await store.keep(delivery(), asyncio.get_running_loop().time() + BUDGET_S - 0.05) is True
        assert kafka.sent == []
    assert segments(tmp_path) == 1
