"""One redrive at a time, whichever process does it: two at once could both find that a letter was not sent yet.

A lease is a row. Each process writes its own and then looks for others': of two that begin at once at least one sees
the other and withdraws, and both may. All times are ClickHouse's own. A process that is stopped for longer than LASTS_S
while it holds the lease is the one case that this does not cover.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import ClassVar, Final
from uuid import uuid4

from core.clickhouse import ClickHouse
from core.errors import ReceiptstreamError

NAME: Final = "redrive"
LASTS_S: Final = 120
RENEW_S: Final = 30.0

_WRITE: Final = """
INSERT INTO leases_log (name, holder, ends, changed_time)
SELECT '{name}', '{holder}', now64(3) + toIntervalSecond({lasts}), now64(3)
"""
_OTHERS: Final = """
SELECT holder FROM leases_log FINAL
WHERE name = {name:String} AND holder != {holder:String} AND ends > now64(3)
"""


class BusyError(ReceiptstreamError):
    """Somebody else works on dead letters just now."""

    tag: ClassVar[str] = "busy"
    retryable: ClassVar[bool] = True


class Lease:
    """A lease in force."""

    def __init__(self, clickhouse: ClickHouse, name: str) -> None:
        self._clickhouse = clickhouse
        self._name = name
        self._holder = uuid4().hex
        self._written = monotonic()

    async def renew(self) -> None:
        """Hold it on; asks ClickHouse every RENEW_S at most."""
        if monotonic() - self._written > RENEW_S:
            await self.write(LASTS_S)

    async def write(self, lasts_s: int) -> None:
        """Let it last that long from now on, in seconds; 0 gives it back."""
        self._written = monotonic()
        await self._clickhouse.command(_WRITE.format(name=self._name, holder=self._holder, lasts=lasts_s))

    async def is_alone(self) -> bool:
        """Tell whether nobody else has a lease of this name."""
        return not await self._clickhouse.rows(_OTHERS, {"name": self._name, "holder": self._holder})


@asynccontextmanager
async def alone(clickhouse: ClickHouse, name: str = NAME) -> AsyncIterator[Lease]:
    """Work alone while the context lasts. Raises BusyError where somebody else does."""
    lease = Lease(clickhouse, name)
    try:
        await lease.write(LASTS_S)
        if not await lease.is_alone():
            raise BusyError(
                "somebody else works on dead letters just now",
                fix=f"Try again in a minute; where a redrive was killed, in {LASTS_S // 60} minutes",
            )
        yield lease
    finally:
        # Else it ends by itself.
        with suppress(ReceiptstreamError):
            await lease.write(0)
