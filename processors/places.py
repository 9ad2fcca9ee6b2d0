"""A channel as the fast paths meet it again and again: what was looked up for it once."""

from __future__ import annotations

from typing import Final

from processors.windows import Partial, Windows

_MOST: Final = 100_000
_NO_WINDOW: Final = Partial(-1)
Plans = list[list[tuple[int, int]]]
"""By ladder rank: of each alert rule on it how long after its alert is due (ms), and its number. An org's share it."""


class Place:
    """One channel's texts, the window that its last record was counted in, what it told, and its alerts' rules."""

    __slots__ = ("channel_id", "head", "number", "org_id", "partial", "plain", "plans", "stamp", "told", "windows")

    def __init__(self, org_id: str, channel_id: str) -> None:
        self.org_id = org_id
        self.channel_id = channel_id
        self.windows: Windows | None = None
        self.stamp = -1
        """That of `Partials` when `partial` was looked up: it holds as long as they are equal."""
        self.partial = _NO_WINDOW
        texts = org_id + channel_id
        self.plain = texts.isprintable() and not {":", "%", '"', "\\"} & {*texts}
        """Whether its texts stand as they are in a key (see `schemas.keys`) and in JSON."""
        self.head = f'{{"org_id":"{org_id}","channel_id":"{channel_id}","session_id":"'
        """How the JSON of its transitions begins, where they are plain."""
        self.told = 0
        """A bit for each ladder status that it is known to have told."""
        self.plans: Plans | None = None
        self.number = 0
        """With `plans`: what stands for the channel in deadlines."""


class Places:
    """The places by org and channel id as they are written: a number and its text are two, of one channel."""

    def __init__(self) -> None:
        self._places: dict[int | str, dict[int | str | None, Place]] = {}
        self._count = 0

    def of(self, org: int | str, channel: int | str | None) -> Place:
        """Return the place of a channel; None is the one without an id."""
        places = self._places.get(org)
        if places is not None:
            place = places.get(channel)
            if place is not None:
                return place
        return self._begin(org, channel)

    def _begin(self, org: int | str, channel: int | str | None) -> Place:
        if self._count >= _MOST:
            self._places.clear()
            self._count = 0
        self._count += 1
        place = self._places.setdefault(org, {})[channel] = Place(text_of(org), text_of(channel))
        return place


def text_of(value: int | str | None) -> str:
    """Return an id as text, '' where there is none."""
    return value if type(value) is str else "" if value is None else str(value)
