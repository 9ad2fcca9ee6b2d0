"""The fast path and the general path give the same bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.alert_rules import DEFAULT
from schemas.times import to_iso
from tests.processors.world import HOUR, NOW, FakeRecord, Headers, ListOutbox, World

COUNTED = ("alerts", "applied", "closed", "duplicate", "forgotten", "late", "other", "parked")
NAMES = ("org", "type", "received", "delivery", "source")

times = st.one_of(
    st.integers(-200_000, 60_000).map(lambda shift: to_iso(NOW + shift)),
    st.integers(-100 * 24, 50 * 24).map(lambda hours: to_iso(NOW + hours * HOUR)),
    st.sampled_from(
        [
            "2025-10-09T07:27:19Z",
            "2025-10-09T07:27:19.3941Z",
            "2025-10-09T07:27:19.394+02:00",
            "2025-10-09T07:27:19+0530",
            "no",
            "",
            None,
            5,
        ]
    ),
)
ids = st.one_of(
    st.integers(-1, 4),
    st.sampled_from([10**20 - 1, 10**20, 2**64, 0, "1", "01", "abc", "²", "x" * 64]),
)
event = st.fixed_dictionaries(
    {
        "payload": st.fixed_dictionaries(
            {
                "messageOldStatus": st.sampled_from([None, "SENT", "DELIVERED", "READ", "QUEUED", 7, "y" * 65]),
                "messageNewStatus": st.fixed_dictionaries(
                    {
                        "updatedTime": times,
                        "status": st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED", "", "z" * 65]),
                    }
                ),
                "messageId": ids,
            },
            optional={"sessionId": ids, "channelId": st.one_of(st.none(), ids)},
        ),
        "orgId": st.sampled_from(["1", "2", 1]),
        "eventType": st.sampled_from(["IM_Message_Status"] * 5 + ["IM_Message_Add", "IM_Other"]),
    },
    optional={"eventTime": st.sampled_from([str(NOW), NOW, "x", None, "1" * 14])},
)
written = st.one_of(
    st.integers(-HOUR, HOUR).map(lambda shift: b"%d" % (NOW + shift)),
    st.sampled_from([b"", b"x", b"0", b"1" * 14, "²".encode(), None]),
)
names = st.one_of(
    st.just(NAMES),
    st.sampled_from([NAMES[::-1], NAMES[:3], (*NAMES, "origin"), (*NAMES, "traceparent"), ("origin", *NAMES[1:])]),
)


@st.composite
def logs(draw: st.DrawFn) -> list[FakeRecord]:
    log = []
    for offset in range(draw(st.integers(0, 25))):
        body = json.dumps(draw(event)).encode() if draw(st.integers(0, 9)) else b"{"
        values = {"received": draw(written), "origin": b"0:%d" % draw(st.integers(0, 30))}
        headers = [(name, values.get(name, b"v")) for name in draw(names)]
        log.append(FakeRecord(offset, b"k", body, headers))
    return log


def outcome(log: list[FakeRecord], batch: int, *, fast: bool) -> tuple[object, ...]:
    """Return everything that a run appends, in order by topic, and what it counts."""
    world = World(log, watch=DEFAULT.message_rules, fast=fast)
    while world.position < len(log):
        world.process(batch)
        world.checkpoint()
        world.settle()
    world.finish(NOW + 200 * 24 * HOUR)
    tally = world.receipts.take_tally()
    counts = [getattr(tally, name) for name in COUNTED]
    written_ = {topic: [(r.key, r.value, r.headers) for r in records] for topic, records in world.durable.items()}
    unordered = ((key, value) for name, records in written_.items() if "partials" in name for key, value, _ in records)
    partials = sorted(unordered, key=repr)
    others = {name: records for name, records in written_.items() if "partials" not in name and records}
    return others, partials, counts


@settings(max_examples=500, deadline=None)
@given(logs(), st.integers(1, 26))
def test_both_paths_give_the_same_bytes(log: list[FakeRecord], batch: int) -> None:
    assert outcome(log, batch, fast=True) == outcome(log, batch, fast=False)


@pytest.mark.parametrize("more", [(), ("traceparent",)])
@pytest.mark.parametrize("fraction", [".000Z", ".00Z", ".0Z", "Z", ".000000+00:00"])
def test_the_usual_record_takes_the_fast_path(more: tuple[str, ...], fraction: str) -> None:
    body = json.dumps(
        {
            "payload": {
                "messageOldStatus": None,
                "messageNewStatus": {"updatedTime": to_iso(NOW)[:19] + fraction, "status": "SENT"},
                "messageId": 50007000000006017,
                "sessionId": "50007000000004136",
                "channelId": "50007000000004080",
            },
            "eventTime": str(NOW),
            "eventType": "IM_Message_Status",
            "orgId": "106553778",
        }
    ).encode()
    headers: Headers = [(name, b"%d" % NOW if name == "received" else b"v") for name in (*NAMES, *more)]
    receipts = World([]).receipts
    outbox = ListOutbox()
    assert receipts._usual.take(FakeRecord(0, b"k", body, headers), receipts._outputs(outbox), 0) == NOW
    (row,) = outbox.values(topics.TRANSITIONS)
    assert json.loads(row)["updated_time"] == to_iso(NOW)
