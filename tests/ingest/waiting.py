"""Waiting for another part's state, with a deadline instead of a fixed sleep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PAUSE_S = 0.002


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if found is True or (found is not False and await found):
                return
            await asyncio.sleep(PAUSE_S)
