"""Pending deadlines: which message is due for which rule, in 19 bytes each.

Far ones lie in buckets of a minute, packed without their exact time: the message state has it, and is asked when the
minute comes. Near ones stand in a heap. Nothing is ever removed early: who takes a deadline out looks at the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from struct import Struct
from typing import Final

from processors.expiry import MessageKey
from processors.places import text_of

MINUTE_MS: Final = 60_000
_WORD: Final = 1 << 64
_CHANNELS: Final = 1 << 16
_RULES: Final = 1 << 8
_LARGEST: Final = 10**19
"""Numbers below have no more than 19 digits and fit 64 bits."""
_PACKED: Final = Struct("<QQHB")
"""A message's key, a session's number (0: none), a channel's number, a rule's."""
_pack: Final = _PACKED.pack


Channel = tuple[str, str]
"""Org and channel id."""
Tag = tuple[int, str, str]
"""What many deadlines share: the number of the rule, org and channel."""
Deadline = tuple[Tag, MessageKey, str]
"""One message is due for one rule: its tag, its key, its session id."""
Exact = Callable[[Tag, MessageKey], int | None]
"""Returns when a deadline is due (epoch ms); None where it no longer is."""


class _Minute:
    """The deadlines of one minute, packed one behind the other, and a list of those that cannot be."""

    __slots__ = ("odd", "packed")

    def __init__(self) -> None:
        self.packed = bytearray()
        self.odd: list[Deadline] = []


class Deadlines:
    """All pending deadlines of one raw partition. `exact` says when one is due."""

    def __init__(self, exact: Exact) -> None:
        self._exact = exact
        self._minutes: dict[int, _Minute] = {}
        self._first: int | None = None
        """The earliest minute that has a bucket."""
        self._near: list[tuple[int, int, Deadline]] = []
        """Heap of due time, a number that keeps equal ones apart, and the deadline."""
        self._near_until = 0
        """Deadlines before this moment stand in the heap."""
        self._count = 0
        self._channels: list[Channel] = []
        self._numbers: dict[Channel, int] = {}

    def __len__(self) -> int:
        far = sum(len(minute.packed) // _PACKED.size + len(minute.odd) for minute in self._minutes.values())
        return far + len(self._near)

    def channel_of(self, org_id: str, channel_id: str) -> int:
        """Return the number that stands for a channel."""
        channel = (org_id, channel_id)
        number = self._numbers.get(channel)
        if number is None:
            number = self._numbers[channel] = len(self._channels)
            self._channels.append(channel)
        return number

    def add(self, due: int, rule: int, channel: int, key: MessageKey, session: int | str | None) -> None:
        """Remember a deadline; `due` in epoch ms, the channel by its number, the session id as the source wrote it."""
        if due < self._near_until:
            self._push(due, (self._tag_of(rule, channel), key, text_of(session)))
            return
        minute = self._minutes.get(due // MINUTE_MS)
        if minute is None:
            minute = self._begin(due // MINUTE_MS)
        # A number's text is its own, so that it need not be made first.
        word = session if type(session) is int and 0 < session < _LARGEST else _word_of(text_of(session))
        if type(key) is int and key < _WORD and word is not None and channel < _CHANNELS and rule < _RULES:
            minute.packed += _pack(key, word, channel, rule)
        else:
            minute.odd.append((self._tag_of(rule, channel), key, text_of(session)))

    def _tag_of(self, rule: int, channel: int) -> Tag:
        org_id, channel_id = self._channels[channel]
        return rule, org_id, channel_id

    def _begin(self, number: int) -> _Minute:
        minute = self._minutes[number] = _Minute()
        self._first = number if self._first is None else min(self._first, number)
        return minute

    def is_due(self, clock: int) -> bool:
        """Tell whether anything is due by `clock` (epoch ms)."""
        self._approach_until(clock)
        return bool(self._near) and self._near[0][0] <= clock

    def due(self, clock: int) -> Iterator[Deadline]:
        """Take out what is due by `clock` (epoch ms), in order of time."""
        self._approach_until(clock)
        while self._near and self._near[0][0] <= clock:
            yield heappop(self._near)[2]

    def _approach_until(self, clock: int) -> None:
        """Move the minutes that have begun from their buckets to the heap."""
        while self._first is not None and self._first * MINUTE_MS <= clock:
            self._near_until = max(self._near_until, (self._first + 1) * MINUTE_MS)
            self._unpack(self._minutes.pop(self._first))
            self._first = min(self._minutes, default=None)

    def _unpack(self, minute: _Minute) -> None:
        for key, session, channel, rule in _PACKED.iter_unpack(minute.packed):
            self._approach((self._tag_of(rule, channel), key, str(session) if session else ""))
        for deadline in minute.odd:
            self._approach(deadline)

    def _approach(self, deadline: Deadline) -> None:
        tag, key, _ = deadline
        due = self._exact(tag, key)
        if due is not None:
            self._push(due, deadline)

    def _push(self, due: int, deadline: Deadline) -> None:
        self._count += 1
        heappush(self._near, (due, self._count, deadline))


def _word_of(session_id: str) -> int | None:
    """Return a session id as a number that gives the same text again, 0 for none; None where there is no such."""
    if not session_id:
        return 0
    if session_id.isascii() and session_id.isdecimal() and session_id[0] != "0" and len(session_id) < 20:  # noqa: PLR2004 -- digits of 64 bits
        return int(session_id)
    return None
