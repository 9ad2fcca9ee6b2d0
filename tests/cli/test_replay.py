"""`receipts replay`: what is told while it runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.settings import parse
from sinks.replay.replay import RawEvent, resend

SETTINGS = parse({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})


class Producer:
    """A Kafka that takes everything at once."""

    def __init__(self, **_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(self, *_: Any, **__: Any) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def events(number: int) -> AsyncIterator[RawEvent]:
    for offset in range(number):
        yield RawEvent(0, offset, b"1", b"{}", "1", "x", 0, "d", "webhook")


async def test_a_slow_replay_tells_how_far_it_is_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package has a function of the module's name.
    module = sys.modules[resend.__module__]
    monkeypatch.setattr(module, "AIOKafkaProducer", Producer)
    monkeypatch.setattr(module, "TELL_S", 0.05)
    told: list[int] = []
    assert await resend(SETTINGS, events(40), rate=200, on_progress=told.append) == 40
    assert told[-1] == 40
    assert len(told) >= 3
    assert told == sorted(told)
