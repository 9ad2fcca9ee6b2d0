"""What each channel can report, as far as one raw partition has told: its type, and the statuses it ever told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from processors import codec
from schemas import keys
from schemas.events import LADDER

REPORTS: Final = {
    "WHATSAPP": frozenset(LADDER),
    "FACEBOOKMESSENGER": frozenset(LADDER),
    "INSTAGRAM": frozenset({"SENT", "READ"}),
}
"""The ladder statuses that a channel type reports; another type reports what it has ever told."""

_PREFIX: Final = "channel"
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(tuple[int, str, int]).decode


class Abilities:
    """Channels by org and id. What is learnt here is never unlearnt."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], str] = {}
        self._told: dict[tuple[str, str], int] = {}
        """Bit `rank` is set when the channel has told that ladder status."""
        self._changed: set[tuple[str, str]] = set()

    def learn_type(self, org_id: str, channel_id: str, type_: str) -> None:
        """Note a channel's type; the first one told holds."""
        if (org_id, channel_id) not in self._types:
            self._types[org_id, channel_id] = type_
            self._changed.add((org_id, channel_id))

    def learn_status(self, org_id: str, channel_id: str, rank: int) -> None:
        """Note that a channel told a ladder status."""
        told = self._told.get((org_id, channel_id), 0)
        if not told >> rank & 1:
            self._told[org_id, channel_id] = told | 1 << rank
            self._changed.add((org_id, channel_id))

    def type_of(self, org_id: str, channel_id: str) -> str:
        """Return a channel's type, '' while it is not known."""
        return self._types.get((org_id, channel_id), "")

    def can_report(self, org_id: str, channel_id: str, rank: int) -> bool:
        """Tell whether a channel can report a ladder status."""
        reports = REPORTS.get(self.type_of(org_id, channel_id))
        if reports is not None:
            return LADDER[rank] in reports
        return bool(self._told.get((org_id, channel_id), 0) >> rank & 1)

    # --- changelog --------------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the changelog records of what was learnt since the last call."""
        for org_id, channel_id in self._changed:
            value = (codec.VERSION, self.type_of(org_id, channel_id), self._told.get((org_id, channel_id), 0))
            yield keys.join(_PREFIX, org_id, channel_id, ""), _encode(value)
        self._changed.clear()

    def restore(self, key: bytes, value: bytes) -> bool:
        """Apply a changelog record; False when it is not one of a channel. Raises UnknownFormatError."""
        parts = keys.split(key)
        if len(parts) != 4 or parts[0] != _PREFIX:  # noqa: PLR2004 -- as `changes` makes them
            return False
        try:
            version, type_, told = _decode(value)
        except msgspec.DecodeError as error:
            raise codec.unknown("partials", key) from error
        if version != codec.VERSION:
            raise codec.unknown("partials", key)
        place = (parts[1], parts[2])
        if type_:
            self._types.setdefault(place, type_)
        self._told[place] = self._told.get(place, 0) | told
        return True
