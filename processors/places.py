"""A channel as the fast path meets it again and again: what was looked up for it once."""

from __future__ import annotations

from processors.windows import Partial


class Place:
    """One channel's texts, the window that its last record was counted in, and its alerts' tags."""

    __slots__ = ("channel_id", "org_id", "partial", "plain", "stamp", "start", "tags")

    def __init__(self, org_id: str, channel_id: str) -> None:
        self.org_id = org_id
        self.channel_id = channel_id
        self.plain = not {":", "%"} & {*org_id, *channel_id}
        """Whether both stand for themselves in a Kafka key."""
        self.start = -1
        """Start of the minute of `partial`, epoch ms."""
        self.stamp = -1
        """That of `Partials` when `partial` was looked up: it holds as long as they are equal."""
        self.partial = Partial()
        self.tags: dict[int, int] = {}
        """Numbers of its deadlines' tags, by rule number."""
