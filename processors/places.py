"""A channel as the fast paths meet it again and again: what was looked up for it once."""

from __future__ import annotations

from typing import Final

from processors.windows import Partial
from schemas.events import LADDER

_MOST: Final = 100_000


class Place:
    """One channel's texts, the window that its last record was counted in, what it told, and its alerts' tags."""

    __slots__ = ("channel_id", "head", "org_id", "partial", "plain", "plans", "stamp", "start", "told")

    def __init__(self, org_id: str, channel_id: str) -> None:
        self.org_id = org_id
        self.channel_id = channel_id
        self.start = -1
        """Start of the minute of `partial`, epoch ms."""
        self.stamp = -1
        """That of `Partials` when `partial` was looked up: it holds as long as they are equal."""
        self.partial = Partial()
        texts = org_id + channel_id
        self.plain = texts.isprintable() and not {":", "%", '"', "\\"} & {*texts}
        """Whether its texts stand as they are in a key (see `schemas.keys`) and in JSON."""
        self.head = f'{{"org_id":"{org_id}","channel_id":"{channel_id}","session_id":"'
        """How the JSON of its transitions begins, where they are plain."""
        self.told = 0
        """A bit for each ladder status that it is known to have told."""
        self.plans: list[list[tuple[int, int]] | None] = [None] * len(LADDER)
        """By rank: of each rule on it how long after its alert is due (ms), and the number of its deadlines' tag."""


class Places:
    """The places by org and channel id as they are written: a number and its text are two, of one channel."""

    def __init__(self) -> None:
        self._places: dict[tuple[int | str, int | str | None], Place] = {}

    def of(self, org: int | str, channel: int | str | None) -> Place:
        """Return the place of a channel; None is the one without an id."""
        place = self._places.get((org, channel))
        if place is None:
            if len(self._places) >= _MOST:
                self._places.clear()
            place = self._places[org, channel] = Place(text_of(org), text_of(channel))
        return place


def text_of(value: int | str | None) -> str:
    """Return an id as text, '' where there is none."""
    return value if type(value) is str else "" if value is None else str(value)
