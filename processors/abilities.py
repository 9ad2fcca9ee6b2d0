"""What each channel can report, as far as one raw partition has told: its type, and the statuses it ever told.

With the raw offset that first told it, so that what was known at a record can be asked at any later time: a restart, a
replay and a first run answer alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from processors import changelog, codec
from schemas import keys
from schemas.events import LADDER

REPORTS: Final = {
    "WHATSAPP": frozenset(LADDER),
    "FACEBOOKMESSENGER": frozenset(LADDER),
    "INSTAGRAM": frozenset({"SENT", "READ"}),
}
"""The ladder statuses that a channel type reports; another type reports what it has ever told."""

_PREFIX: Final = "channel"
_encode: Final = msgspec.json.encode
_NEVER: Final = 1 << 62


class Abilities:
    """Channels by org and id. What is learnt here is never unlearnt."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], tuple[int, str]] = {}
        """The first offset that told a channel's type, and the type."""
        self._told: dict[tuple[str, str], dict[int, int]] = {}
        """The first offset that told each ladder rank."""
        self._changed: set[tuple[str, str]] = set()

    def learn_type(self, org_id: str, channel_id: str, type_: str, offset: int) -> None:
        """Note a channel's type; the first one told holds."""
        known = self._types.get((org_id, channel_id))
        if known is None or offset < known[0]:
            self._types[org_id, channel_id] = (offset, type_)
            self._changed.add((org_id, channel_id))

    def learn_status(self, org_id: str, channel_id: str, rank: int, offset: int) -> None:
        """Note that a channel told a ladder status."""
        told = self._told.get((org_id, channel_id))
        if told is None:
            told = self._told[org_id, channel_id] = {}
        if offset < told.get(rank, _NEVER):
            told[rank] = offset
            self._changed.add((org_id, channel_id))

    def type_of(self, org_id: str, channel_id: str, offset: int) -> str:
        """Return a channel's type as known at an offset, '' where it was not."""
        known, type_ = self._types.get((org_id, channel_id), (_NEVER, ""))
        return type_ if known <= offset else ""

    def can_report(self, org_id: str, channel_id: str, rank: int, offset: int) -> bool:
        """Tell whether a channel can report a ladder status, as known at an offset."""
        reports = REPORTS.get(self.type_of(org_id, channel_id, offset))
        if reports is not None:
            return LADDER[rank] in reports
        return self._told.get((org_id, channel_id), {}).get(rank, _NEVER) <= offset

    # --- changelog --------------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the changelog records of what was learnt since the last call."""
        for place in self._changed:
            known, type_ = self._types.get(place, (_NEVER, ""))
            yield keys.join(_PREFIX, *place, ""), _encode((codec.VERSION, type_, known, self._told.get(place, {})))
        self._changed.clear()

    def restore(self, key: bytes, value: bytes) -> bool:
        """Apply a changelog record; False when it is not one of a channel. Raises UnknownFormatError."""
        if key.count(b":") != 3:  # noqa: PLR2004 -- as `changes` makes them; a window's key has two
            return False
        parts = keys.split(key)
        if parts[0] != _PREFIX:
            return False
        try:
            version, type_, known, told = changelog.decode_abilities(value)
        except msgspec.DecodeError as error:
            raise codec.unknown("partials", key) from error
        if version != codec.VERSION:
            raise codec.unknown("partials", key)
        if type_:
            self.learn_type(parts[1], parts[2], type_, known)
        for rank, offset in told.items():
            self.learn_status(parts[1], parts[2], rank, offset)
        self._changed.discard((parts[1], parts[2]))
        return True
