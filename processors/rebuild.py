"""The usual record of the messages changelog, restored in one go: the fast path of a recovery.

Nearly all of them are ladder statuses told once, with ids that need no quoting. For those this module does what
`Receipts.restore_fact` does, without its steps in between; of every other it says so and leaves it alone. A test holds
both ways to the same state.
"""

from __future__ import annotations

from typing import Final

from processors import codec, rules
from processors.alerts import Alerts
from processors.expiry import MessageKey
from processors.places import Place, Places
from processors.state import State, message_key

_VERSION: Final = b"%d" % codec.VERSION
_PARTS: Final = 3
"""Org, message and status; an alert's key has four."""
_PERCENT: Final = ord("%")
_ZERO: Final = ord("0")
_DIGITS: Final = 20
"""Longer numbers are texts, as in `processors.state`."""
_RANKS: Final = {status.encode(): rank for status, rank in rules.RANKS.items()}
_MOST: Final = 100_000


class Rebuild:
    """Restores facts into the state and the deadlines of one raw partition."""

    def __init__(self, state: State, alerts: Alerts, places: Places) -> None:
        self._state = state
        self._alerts = alerts
        self._places = places
        self._known: dict[tuple[bytes, bytes], Place] = {}
        """By org and channel id as a record holds them."""

    def take(self, key: bytes, value: bytes | None) -> bool:
        """Restore a record; False when it is not a usual one: nothing is done."""
        # Looked for as a number: as bytes it would first be taken for one, and an exception made and dropped.
        if value is None or _PERCENT in key or _PERCENT in value:
            return False
        parts = key.split(b":")
        if len(parts) != _PARTS:
            return False
        org, message, status = parts
        rank = _RANKS.get(status, -1)
        if rank < 0:
            return False
        try:
            version, told, at, arrived, ids = value.split(b",", 4)
            channel, session = ids.split(b":")
            time, offset, received = int(told), int(at), int(arrived)
        except ValueError:
            return False
        place = self._known.get((org, channel))
        if place is None:
            place = self._place(org, channel)
        name: MessageKey = _number_of(message)
        if not name:
            name = message_key(message.decode())
        known = self._state.ladder(place.org_id, name)
        if version != _VERSION or (known and known >> rank * rules.FACT_BITS & rules.FACT_MASK):
            return False
        talk: int | str = _number_of(session)
        if not talk:
            talk = session.decode()
        after = known | rules.pack(time, offset, received) << rank * rules.FACT_BITS
        self._state.put(place.org_id, name, known, after, received, (place.channel_id, talk))
        self._alerts.plan_again(place, (name, talk), rank, time, received)
        return True

    def _place(self, org: bytes, channel: bytes) -> Place:
        if len(self._known) >= _MOST:
            self._known.clear()
        place = self._known[org, channel] = self._places.of(org.decode(), channel.decode())
        return place


def _number_of(text: bytes) -> int:
    """Return an id as a number that gives the same text again; 0 where it is none, or a long one."""
    return int(text) if text.isdigit() and text[0] != _ZERO and len(text) <= _DIGITS else 0
