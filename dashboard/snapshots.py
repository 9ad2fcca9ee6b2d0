"""Answers kept for a moment, so that many viewers cost the warehouse one query.

What took long is kept longer: a result may be so many times as old as it took to work out, so that looking costs the
warehouse a part of its time however many look and however much it holds: a small one for what walks over all messages.
While it is renewed, the one before is shown with its age.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from core import clock, logs
from core.errors import ReceiptstreamError

PATIENT: Final = 20
QUICK: Final = 10
MOST: Final = 256
FRESH_S: Final = 2.0
RETRY_S: Final = 2.0

T = TypeVar("T")
_log = logs.get(__name__)


@dataclass(slots=True)
class Snapshot(Generic[T]):
    """A result and its age.

    `value` None: never worked out so far; `error`: why the last try failed; `took_s`: how long it took.
    """

    value: T | None = None
    computed_ms: int = 0
    took_s: float = 0.0
    error: ReceiptstreamError | None = None
    tried_at: float = field(default=float("-inf"))
    task: asyncio.Task[None] | None = None

    def stale(self, now: float, times: int) -> bool:
        """Tell whether it is time to work it out anew: it is `times` as old as it took."""
        kept = max(RETRY_S if self.error is not None else FRESH_S, times * self.took_s)
        return self.task is None and now - self.tried_at >= kept


class Snapshots:
    """Results by key; the least recently asked for go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Snapshot[Any]] = OrderedDict()

    async def get(
        self, key: str, make: Callable[[], Awaitable[T]], *, wait_s: float, times: int = QUICK
    ) -> Snapshot[T]:
        """Return the result of `make`, at most `wait_s` later: an older one, or none, when it takes longer."""
        snapshot: Snapshot[T] = self._kept.setdefault(key, Snapshot())
        self._kept.move_to_end(key)
        if snapshot.stale(asyncio.get_running_loop().time(), times):
            snapshot.task = asyncio.create_task(self._make(key, snapshot, make))
        if snapshot.task is not None:
            await asyncio.wait({snapshot.task}, timeout=wait_s)
        self._forget()
        return snapshot

    async def need(self, key: str, make: Callable[[], Awaitable[T]], *, wait_s: float, times: int = QUICK) -> T | None:
        """Return the result, or None while it is worked out. Raises what the last try failed with."""
        snapshot = await self.get(key, make, wait_s=wait_s, times=times)
        if snapshot.error is not None:
            raise snapshot.error
        return snapshot.value

    async def _make(self, key: str, snapshot: Snapshot[T], make: Callable[[], Awaitable[T]]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            snapshot.value = await make()
            snapshot.error = None
            snapshot.computed_ms = clock.now_ms()
        except ReceiptstreamError as error:
            _log.warning("query_failed", key=key, error=error.message)
            snapshot.error = error
        except Exception:  # noqa: BLE001 -- whoever waits must be told, whatever it was
            _log.exception("query_failed", key=key)
            snapshot.error = ReceiptstreamError(
                "The numbers could not be worked out", fix="This is a defect of the dashboard; its log has more"
            )
        finally:
            snapshot.tried_at = loop.time()
            # What fails after long is not begun anew at once either.
            snapshot.took_s = snapshot.tried_at - began
            snapshot.task = None

    def _forget(self) -> None:
        for key in list(self._kept):
            if len(self._kept) <= MOST:
                break
            if self._kept[key].task is None:
                del self._kept[key]

    async def close(self) -> None:
        """End what is still being worked out."""
        tasks = [snapshot.task for snapshot in self._kept.values() if snapshot.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
