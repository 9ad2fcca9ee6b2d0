"""The usual record of the messages changelog, restored in one go: the fast path of a recovery.

Nearly all of them are ladder statuses told once, with ids that need no quoting. For those this module does what
`Receipts.restore_fact` does, without its steps in between; of every other it says so and leaves it alone. A test holds
both ways to the same state.
"""

from __future__ import annotations

from typing import Final

from processors import codec, rules
from processors.alerts import Alerts
from processors.places import Places
from processors.state import State, message_key

_VERSION: Final = b"%d" % codec.VERSION
_PARTS: Final = 3
"""Org, message and status; an alert's key has four."""


class Rebuild:
    """Restores facts into the state and the deadlines of one raw partition."""

    def __init__(self, state: State, alerts: Alerts, places: Places) -> None:
        self._state = state
        self._alerts = alerts
        self._places = places

    def take(self, key: bytes, value: bytes | None) -> bool:
        """Restore a record; False when it is not a usual one: nothing is done."""
        if value is None or b"%" in key or b"%" in value:
            return False
        parts = key.decode().split(":")
        if len(parts) != _PARTS:
            return False
        org, message, status = parts
        rank = rules.RANKS.get(status)
        if rank is None:
            return False
        try:
            version, told, at, arrived, ids = value.split(b",", 4)
            time, offset, received = int(told), int(at), int(arrived)
        except ValueError:
            return False
        name = message_key(message)
        known = self._state.ladder(org, name)
        if version != _VERSION or known >> rank * rules.FACT_BITS & rules.FACT_MASK:
            return False
        channel, _, session = ids.decode().partition(":")
        after = known | rules.pack(time, offset, received) << rank * rules.FACT_BITS
        self._state.put(org, name, known, after, (channel, session))
        self._alerts.plan_again(self._places.of(org, channel), (name, session), rank, time, received)
        return True
