"""Where the feed goes on after Kafka was away."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition

from dashboard.feed import KINDS, LOOK_BACK, Feed, _place
from dashboard.hub import Hub

PLACES = [TopicPartition(topic, 0) for topic in KINDS]


class Consumer:
    """A consumer of one partition a topic."""

    def __init__(self, first: int, end: int) -> None:
        self._first, self._end = first, end
        self.sought: set[int] = set()

    def assignment(self) -> set[Any]:
        return set(PLACES)

    async def beginning_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, self._first)

    async def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, self._end)

    def seek(self, _: Any, offset: int) -> None:
        self.sought.add(offset)


@pytest.mark.parametrize(
    ("stood", "first", "end", "goes_on_at", "anew"),
    [
        (0, 0, 1000, 0, False),
        (70, 0, 1000, 70, False),
        (70, 100, 150, 100, True),  # what comes next there is deleted
        (70, 0, 50, 0, True),  # another topic of that name
    ],
)
async def test_the_feed_goes_on_where_it_stood(stood: int, first: int, end: int, goes_on_at: int, anew: bool) -> None:  # noqa: FBT001
    hub, consumer = Hub(), Consumer(first, end)
    hub.begin({_place(place): stood for place in PLACES})
    joined = hub.join("")
    assert joined is not None
    await Feed("127.0.0.1:1", hub)._take_place(consumer)
    assert consumer.sought == {goes_on_at}
    assert joined[0].frames.empty() is not anew


async def test_the_first_time_it_begins_a_little_before_the_end() -> None:
    hub, consumer = Hub(), Consumer(0, 1000)
    await Feed("127.0.0.1:1", hub)._take_place(consumer)
    assert consumer.sought == {1000 - LOOK_BACK}
    assert hub.next_of(_place(PLACES[0])) == 1000 - LOOK_BACK
