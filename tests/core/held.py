"""Answers of Kafka that come late."""

from __future__ import annotations

import asyncio
from threading import Semaphore
from typing import Any

from aiokafka.protocol.fetch import FetchRequest

from tests.ingest.waiting import PAUSE_S, until


class HeldAnswers:
    """Holds the answers to a started consumer's fetches until they are let go; it may run in a thread of its own."""

    def __init__(self, consumer: Any) -> None:
        self._come, self._permits = Semaphore(0), Semaphore(0)
        self._send = consumer._client.send
        consumer._client.send = self._held

    async def next(self) -> None:
        """Return when one more answer has come, and is held."""
        await until(lambda: self._come.acquire(blocking=False))

    def let_go(self, answers: int = 1) -> None:
        """Let so many answers go, those that are yet to come among them."""
        self._permits.release(answers)

    async def _held(self, node: int, request: Any, **named: Any) -> Any:
        answer = await self._send(node, request, **named)
        if isinstance(request, FetchRequest):
            self._come.release()
            while not self._permits.acquire(blocking=False):
                await asyncio.sleep(PAUSE_S)
        return answer
