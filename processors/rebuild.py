"""The usual record of the messages changelog, restored in one go: the fast path of a recovery.

Nearly all of them are ladder statuses told once, with ids that need no quoting. For those this module does what
`Receipts.restore_fact` does, without its steps in between; of every other it says so and leaves it alone. A test holds
both ways to the same state.
"""

from __future__ import annotations

from typing import Final

from processors import rules
from processors.alerts import Alerts
from processors.places import Place, Places
from processors.state import State
from processors.written import WrittenFact

_MOST: Final = 100_000


class Rebuild:
    """Restores facts into the state and the deadlines of one raw partition."""

    def __init__(self, state: State, alerts: Alerts, places: Places) -> None:
        self._state = state
        self._alerts = alerts
        self._places = places
        self._known: dict[tuple[bytes, bytes], Place] = {}
        """By org and channel id as a record holds them."""
        self._told = WrittenFact()

    def take(self, key: bytes, value: bytes | None) -> bool:
        """Restore a record; False when it is not a usual one: nothing is done."""
        told = self._told
        if value is None or not told.read(key, value):
            return False
        place = self._known.get((told.org, told.channel))
        if place is None:
            place = self._place(told.org, told.channel)
        name, rank = told.message, told.rank
        known = self._state.ladder(place.org_id, name)
        if known and known >> rank * rules.FACT_BITS & rules.FACT_MASK:
            return False
        time, received = told.time, told.received
        after = known | rules.pack(time, told.offset, received) << rank * rules.FACT_BITS
        self._state.put(place.org_id, name, known, after, received, (place.channel_id, told.session))
        self._alerts.plan_again(place, (name, told.session), rank, time, received)
        return True

    def _place(self, org: bytes, channel: bytes) -> Place:
        if len(self._known) >= _MOST:
            self._known.clear()
        place = self._known[org, channel] = self._places.of(org.decode(), channel.decode())
        return place
