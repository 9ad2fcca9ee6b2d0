"""The answer key reads elements with the standard library alone; the product's codec must read the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.answer_key.reading import Added, Other, Told, Unusable, epoch_ms, iso_ms, read
from schemas.events import decode
from schemas.shapes import OtherEvent, Rejected, StatusEvent
from schemas.times import parse_epoch, parse_iso
from tests.simulator.elements import added, told

SAMPLE = Path(__file__).parents[2] / "schemas" / "examples" / "zoho_sample.json"

numbers = st.integers(0, 99).map(lambda number: f"{number:02d}")
times = st.builds(
    lambda date, clock, fraction, zone: f"{date}T{clock}{fraction}{zone}",
    st.one_of(st.dates().map(str), st.builds(lambda m, d: f"2025-{m}-{d}", numbers, numbers)),
    st.one_of(st.times().map(lambda t: f"{t:%H:%M:%S}"), st.builds(lambda *p: ":".join(p), numbers, numbers, numbers)),
    st.one_of(st.just(""), st.text("0123456789", max_size=9).map(lambda digits: "." + digits)),
    st.one_of(
        st.sampled_from(["Z", "", "z", "+00", "+0130", "-23:59", "+24:00", " Z"]),
        st.builds(lambda sign, hours, minutes: f"{sign}{hours}:{minutes}", st.sampled_from("+-"), numbers, numbers),
    ),
)


@given(st.one_of(times, st.text(max_size=30)))
@example("2025-10-09T07:27:19.394Z")
@example("2025-10-09T07:27:19.39Z")
@example("2255-03-14T16:00:00.000Z")
@example("2255-03-14T16:00:00.001Z")
@example("1969-12-31T23:59:59.999Z")
@example("2025-10-09T07:27:60Z")
@example("٢٠٢٥-10-09T07:27:19Z")
def test_both_implementations_read_a_time_alike(text: str) -> None:
    assert iso_ms(text) == parse_iso(text)


@given(
    st.one_of(
        st.integers(), st.text("0123456789+-._ ", max_size=15), st.floats(allow_nan=False), st.none(), st.booleans()
    )
)
def test_both_implementations_read_an_epoch_alike(value: object) -> None:
    literal = json.loads(json.dumps({"v": value}), parse_int=_digits)["v"]
    assert epoch_ms(literal) == parse_epoch(value)


def _digits(text: str) -> str:
    from sandbox.answer_key.reading import Digits  # noqa: PLC0415 -- the literal's own type

    return Digits(text)


def test_the_sample_keeps_every_digit() -> None:
    element = json.dumps(json.loads(SAMPLE.read_bytes())[0]).encode()
    event = read(element)
    assert isinstance(event, Told)
    assert (event.org_id, event.message_id, event.channel_id) == ("106553778", "50007000000006017", "50007000000004080")
    assert (event.updated_ms, event.event_ms) == (1759994839394, 1751022087019)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**70), 10**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=70),
    st.sampled_from(["SENT", "READ", "", "1751022087019", "2025-10-09T07:27:19.394Z"]),
    st.just([]),
    st.just({}),
)
status_events = st.fixed_dictionaries(
    {"eventType": st.sampled_from(["IM_Message_Status", "IM_Message_Add", "Typing"])},
    optional={
        "orgId": values,
        "eventTime": values,
        "payload": st.one_of(
            values,
            st.fixed_dictionaries(
                {},
                optional={
                    "id": values,
                    "messageId": st.one_of(st.integers(1, 10**20), values),
                    "sessionId": values,
                    "channelId": values,
                    "messageOldStatus": values,
                    "messageNewStatus": st.one_of(
                        st.fixed_dictionaries({"status": st.just("READ")}, optional={"updatedTime": values}),
                        st.fixed_dictionaries({}, optional={"status": values, "updatedTime": values}),
                    ),
                },
            ),
        ),
    },
)


@given(st.one_of(values, status_events))
def test_both_implementations_judge_an_element_alike(element: Any) -> None:
    text = json.dumps(element).encode()
    mine, theirs = read(text), decode(text)
    if isinstance(mine, Told):
        assert isinstance(theirs, StatusEvent)
        assert (mine.org_id, mine.channel_id, mine.session_id, mine.message_id) == (
            theirs.org_id,
            theirs.channel_id,
            theirs.session_id,
            theirs.message_id,
        )
        assert (mine.old_status, mine.new_status) == (theirs.old_status, theirs.new_status)
        assert (mine.updated_ms, mine.event_ms) == (parse_iso(theirs.updated_time), parse_epoch(theirs.event_time))
    elif isinstance(mine, Unusable):
        assert isinstance(theirs, Rejected)
    else:
        assert isinstance(theirs, OtherEvent)
        assert mine.org_id == theirs.org_id


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"42", b"[]", b"null", b'"text"', b"{}", b'{"eventType":""}', b"\xff", b'{"eventType":"a","x":NaN}'],
)
def test_what_is_no_event_is_unusable(text: bytes) -> None:
    assert read(text) == Unusable()
    assert isinstance(decode(text), Rejected)


def test_a_message_told_as_added_names_its_way_and_kind_of_channel() -> None:
    assert read(added("17")) == Added("1", "7", "17", "OUT", "WHATSAPP")
    assert read(b'{"eventType":"IM_Session_Status","orgId":1}') == Other("1", "IM_Session_Status")


@pytest.mark.parametrize("message", [12345678901234567890, "12345678901234567890", "a/b:c%d"])
def test_ids_are_text_whatever_their_form(message: object) -> None:
    event = read(told("SENT", message=message))
    assert isinstance(event, Told)
    assert event.message_id == str(message)
