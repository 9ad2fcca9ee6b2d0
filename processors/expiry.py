"""When messages are forgotten: hour buckets, 8 bytes a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

HOUR_MS: Final = 3_600_000
MessageKey = int | str
"""A message id in memory: an integer where that loses nothing, since it is a third of the text's size."""


class Expiry:
    """Message keys by org and by the hour in which they were first heard of."""

    def __init__(self) -> None:
        self._hours: dict[int, dict[str, list[MessageKey]]] = {}
        # The list of the last message: the next one nearly always belongs there too.
        self._last: tuple[int, str] | None = None
        self._keys: list[MessageKey] = []

    def add(self, org_id: str, key: MessageKey, received: int) -> None:
        """Remember a message first heard of at `received` (epoch ms)."""
        hour = received // HOUR_MS
        if self._last is None or self._last[0] != hour or self._last[1] != org_id:
            self._last = (hour, org_id)
            self._keys = self._hours.setdefault(hour, {}).setdefault(org_id, [])
        self._keys.append(key)

    def due(self, limit: int, most: int) -> Iterator[tuple[str, MessageKey]]:
        """Yield and drop up to `most` messages of hours that ended before `limit` (epoch ms), oldest first."""
        self._last = None
        while most and self._hours:
            hour = min(self._hours)
            if (hour + 1) * HOUR_MS > limit:
                return
            orgs = self._hours[hour]
            for org_id in list(orgs):
                keys = orgs[org_id]
                while keys and most:
                    most -= 1
                    yield org_id, keys.pop()
                if not keys:
                    del orgs[org_id]
            if not orgs:
                del self._hours[hour]
