"""What people call the channels, as far as ClickHouse tells and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from core import logs
from core.clickhouse import ClickHouse
from core.errors import WarehouseRefusedError, WarehouseUnavailableError

log = logs.get(__name__)

ANSWER_S = 2.0
"""No notification waits longer for a name."""
KEPT_S = 300.0
ASK_AGAIN_S = 10.0
"""How long an unknown channel is not asked for again."""
_CHANNELS = "SELECT org_id, channel_id, type, name FROM channels"


class Names:
    """Channels by org and id. Shared by all destinations."""

    def __init__(self, clickhouse: ClickHouse | None) -> None:
        self._clickhouse = clickhouse
        self._known: dict[tuple[str, str], str] = {}
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    def name_of(self, org_id: str, channel_id: str) -> str:
        """Return what to call a channel: its name, its type and id, or its id alone."""
        return self._known.get((org_id, channel_id), f"channel {channel_id}")

    async def look_up(self, channels: Iterable[tuple[str, str]]) -> None:
        """Ask for these channels where they are not known, or were not asked for lately. Never fails."""
        if self._clickhouse is None:
            return
        async with self._lock:
            now = asyncio.get_running_loop().time()
            unknown = any(channel not in self._known for channel in channels)
            if now - self._asked < (ASK_AGAIN_S if unknown else KEPT_S):
                return
            self._asked = now
            try:
                async with asyncio.timeout(ANSWER_S):
                    rows = await self._clickhouse.rows(_CHANNELS)
            except (WarehouseUnavailableError, WarehouseRefusedError, TimeoutError) as error:
                log.warning("channel_names_unknown", error=str(error) or "no answer in time")
                return
            self._known = {(row["org_id"], row["channel_id"]): _called(row) for row in rows}


def _called(row: dict[str, str]) -> str:
    if row["name"]:
        return f"{row['name']} (channel {row['channel_id']})"
    kind = "" if row["type"] in ("", "UNKNOWN") else f"{row['type']} "
    return f"{kind}channel {row['channel_id']}"
