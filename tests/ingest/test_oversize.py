"""What is larger than a topic takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.body import Parked
from ingest.delivery import build
from ingest.link import Limits
from ingest.oversize import ROOM, fit, may_not_fit, park_oversized, weigh
from tests.ingest.making import split_of

texts = st.lists(st.integers(1, 9000).map(lambda size: b"x" * size), max_size=5)


@given(texts, texts, st.integers(3000, 9000), st.integers(3000, 9000))
def test_every_record_goes_exactly_where_it_fits(
    raw: list[bytes], dead: list[bytes], raw_limit: int, dead_limit: int
) -> None:
    found = split_of([(b"k", text) for text in raw], [Parked(text, "r", "d") for text in dead])
    delivery = build(found, sum(map(len, raw + dead)), received_ms=1, delivery="d", source="webhook")
    limits = Limits(1, 1, raw_limit, dead_limit)
    fits, rest = fit(delivery, limits)
    assert all(weigh(key, text, group.headers) <= raw_limit for key, text, group in fits.raw)
    assert all(weigh(None, *letter) <= dead_limit for letter in fits.dead)
    assert rest.raw == []
    values = [value for _, value, _ in fits.raw] + [value for value, _ in fits.dead + rest.dead]
    assert sorted(values) == sorted(raw + dead)
    if not may_not_fit(delivery, limits):
        assert (fits.raw, fits.dead) == (delivery.raw, delivery.dead)
        assert len(rest) == 0
    moved = [dict(headers) for value, headers in fits.dead + rest.dead if value in raw and value not in dead]
    assert {headers["reason"] for headers in moved} <= {b"too_large"}


def test_an_event_that_its_topic_cannot_take_is_parked() -> None:
    large = b"x" * 5000
    found = split_of([(b"k", b"x"), (b"k", large), (b"k", b"y")], [Parked(b"z", "r", "d")])
    fitting = park_oversized(found, 5000 + ROOM)
    assert [text for _, text, _ in fitting.accepted] == [b"x", b"y"]
    assert [group.count for group in fitting.groups] == [2]
    assert [(item.text, item.reason) for item in fitting.parked] == [(b"z", "r"), (large, "too_large")]
    assert park_oversized(split_of([(b"k", large)]), 5000 + ROOM).groups == []
