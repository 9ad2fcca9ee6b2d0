"""The engines against the answer key: a second implementation of the meaning, which shares no code with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.answer_key import RawRecord, answer, compare, describe
from sandbox.answer_key.records import parse_origin
from tests.processors.world import HOUR, NOW, FakeRecord, World, raw

times = st.one_of(
    st.integers(-200_000, 200_000),
    st.sampled_from([-48 * HOUR, -48 * HOUR - 1, HOUR, HOUR + 1]),
    st.integers(-60 * HOUR, 3 * HOUR),
)


def iso_texts(ms: int) -> list[str]:
    moment = datetime.fromtimestamp((NOW + ms) // 1000, UTC) + timedelta(milliseconds=(NOW + ms) % 1000)
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S")
    millis = f"{moment.microsecond // 1000:03d}"
    return [
        f"{plain}.{millis}Z",
        f"{plain}Z",
        f"{plain}.{millis[0]}Z",
        f"{plain}.{millis}999+00:00",
        plain,
        f"{plain} Z",
    ]


clock = st.one_of(
    times.flatmap(lambda ms: st.sampled_from(iso_texts(ms))),
    st.sampled_from([None, "", "soon", 5, "2025-13-01T00:00:00Z", "2025-10-09T07:27:60Z", "1969-12-31T23:59:59Z"]),
)
event_clock = st.one_of(
    times.map(lambda ms: str(NOW + ms)), st.sampled_from([None, "soon", -5, 1.5, True, "12345678901234", "٣"])
)
ids = st.one_of(
    st.sampled_from([1, 1, 2]),
    st.sampled_from([1, "1"]),
    st.sampled_from(["1", "2", "x:y", "01", 50007000000006017, "9" * 20, 1.0, "", None, True, "é"]),
)
ladder = st.sampled_from(["SENT", "DELIVERED", "READ"])
statuses = st.one_of(ladder, ladder, ladder, st.sampled_from(["FAILED", "sent", "SENT ", "", None, 5]))
olds = st.sampled_from(["SENT", "DELIVERED", "READ", "FAILED", None, 3, "x" * 65])


@st.composite
def elements(draw: st.DrawFn) -> bytes:
    payload = {
        "messageOldStatus": draw(olds),
        "messageNewStatus": {"updatedTime": draw(clock), "status": draw(statuses)},
        "messageId": draw(ids),
        "sessionId": draw(st.sampled_from([3, "3", None])),
        "channelId": draw(st.sampled_from([7, "8", None])),
    }
    event = {"payload": payload, "eventTime": draw(event_clock), "eventType": "IM_Message_Status", "orgId": "1"}
    return draw(st.sampled_from([json.dumps(event).encode(), json.dumps(event, ensure_ascii=False, indent=1).encode()]))


usual = elements()
anything = st.one_of(
    usual, usual, usual, st.sampled_from([b"", b"[]", b"{", b'{"eventType":"IM_Message_Add"}', b'{"eventType":3}'])
)


def raw_record(record: FakeRecord) -> RawRecord:
    headers = dict(record.headers)
    origin = headers.get("origin")
    received = int(headers["received"] or b"")
    return RawRecord(
        0, record.offset, record.value or b"", received, origin=parse_origin(origin.decode() if origin else None)
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(anything, st.integers(0, 3 * HOUR)), max_size=20), st.lists(st.integers(0, 25), max_size=4))
def test_any_log_gives_the_rows_of_the_answer_key(log: list[tuple[bytes, int]], replays: list[int]) -> None:
    records = [raw(offset, value, received=NOW + delay) for offset, (value, delay) in enumerate(log)]
    for again in replays:
        if again < len(log):
            value, delay = log[again]
            records.append(raw(len(records), value, received=NOW + delay, origin=f"0:{again}"))
    world = World(records)
    world.finish()
    key = answer([raw_record(record) for record in records])
    differences = compare(
        {name: key.tables[name] for name in ("transitions", "channel_windows")},
        {"transitions": list(world.transitions().values()), "channel_windows": list(world.windows().values())},
    )
    assert not differences, describe(differences)
