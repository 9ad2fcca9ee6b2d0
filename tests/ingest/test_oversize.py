"""What is larger than a topic takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.body import Parked, Split
from ingest.delivery import build
from ingest.link import Limits
from ingest.oversize import ROOM, fit, may_not_fit, park_oversized, weigh

texts = st.lists(st.integers(1, 9000).map(lambda size: b"x" * size), max_size=5)


@given(texts, texts, st.integers(3000, 9000), st.integers(3000, 9000))
def test_every_record_goes_exactly_where_it_fits(
    raw: list[bytes], dead: list[bytes], raw_limit: int, dead_limit: int
) -> None:
    found = Split([(b"k", text, "1", "T") for text in raw], [Parked(text, "r", "d") for text in dead])
    delivery = build(found, sum(map(len, raw + dead)), received_ms=1, delivery="d", source="webhook")
    limits = Limits(1, 1, raw_limit, dead_limit)
    fits, rest = fit(delivery, limits)
    assert all(weigh(*record) <= raw_limit for record in fits.raw)
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
    large = (b"k", b"x" * 5000, "1", "T")
    small = (b"k", b"x", "1", "T")
    found = park_oversized(Split([small, large, small], [Parked(b"y", "r", "d")]), 5000 + ROOM)
    assert found.accepted == [small, small]
    assert [(item.text, item.reason) for item in found.parked] == [(b"y", "r"), (large[1], "too_large")]
