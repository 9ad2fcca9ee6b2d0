"""What an event is: the fast path, the slow path and the ingress's view of one element agree."""

from __future__ import annotations

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import decode, key_of, route, type_of
from schemas.shapes import OtherEvent, Rejected, StatusEvent

PAYLOAD = {
    "messageOldStatus": "SENT",
    "messageNewStatus": {"updatedTime": "2025-10-09T07:27:19.394Z", "status": "DELIVERED"},
    "messageId": 50007000000006017,
    "sessionId": 50007000000004136,
    "channelId": 50007000000004080,
}
STATUS = {
    "payload": PAYLOAD,
    "eventTime": "1751022087019",
    "eventType": "IM_Message_Status",
    "orgId": "106553778",
}


def status(**changes: object) -> bytes:
    """Return the sample with payload fields changed, or removed where the value is `...`."""
    payload = {**PAYLOAD, **changes}
    return orjson.dumps({**STATUS, "payload": {name: value for name, value in payload.items() if value is not ...}})


def test_the_sample_keeps_every_digit_of_its_ids() -> None:
    event = decode(orjson.dumps(STATUS))
    assert event == StatusEvent(
        org_id="106553778",
        channel_id="50007000000004080",
        session_id="50007000000004136",
        message_id="50007000000006017",
        old_status="SENT",
        new_status="DELIVERED",
        updated_time="2025-10-09T07:27:19.394Z",
        event_time="1751022087019",
    )


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("7", "7"),
        ('"7"', "7"),
        ("-7", "-7"),
        ("50007000000006017123", "50007000000006017123"),
        ("9" * 64, "9" * 64),
        ("9" * 65, "9" * 65),
        ("9" * 5000, "9" * 5000),
        ('"' + "x" * 64 + '"', "x" * 64),
        ('"\\u00e9:%"', "é:%"),
    ],
)
def test_an_id_is_an_integer_of_any_length_or_short_text(literal: str, expected: str) -> None:
    text = orjson.dumps(STATUS).replace(b"50007000000006017", literal.encode())
    event = decode(text)
    assert isinstance(event, StatusEvent)
    assert event.message_id == expected
    assert route(text) == (expected, "106553778", "IM_Message_Status")


@pytest.mark.parametrize("literal", ["1.0", "1e3", "true", "null", '""', "{}", "[]", '"' + "x" * 65 + '"'])
def test_anything_else_is_no_message_id(literal: str) -> None:
    text = orjson.dumps(STATUS).replace(b"50007000000006017", literal.encode())
    rejected = decode(text)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "bad_message_id"
    assert route(text) == rejected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"1", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"[{}]", "not_an_object"),
        (b"", "not_an_object"),
        (b'{"a":', "not_json"),
        (b"{}", "no_event_type"),
        (b'{"eventType":""}', "no_event_type"),
        (b'{"eventType":7}', "no_event_type"),
        (b'{"eventType":null}', "no_event_type"),
        (b'{"eventType":"IM_Message_Status"}', "no_payload"),
        (b'{"eventType":"IM_Message_Status","payload":[]}', "no_payload"),
        (status(messageNewStatus=...), "no_status"),
        (status(messageNewStatus={"status": ""}), "no_status"),
        (status(messageNewStatus={"status": "x" * 65}), "no_status"),
        (status(messageNewStatus={"status": 1}), "no_status"),
        (status(messageNewStatus="SENT"), "no_status"),
        (status(messageId=...), "bad_message_id"),
        (status(sessionId=1.5), "bad_session_id"),
        (status(channelId=""), "bad_channel_id"),
        (orjson.dumps({**STATUS, "orgId": None}), "bad_org_id"),
    ],
)
def test_what_is_no_event_says_why(text: bytes, reason: str) -> None:
    rejected = decode(text)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert rejected.detail


def test_session_and_channel_may_be_absent_or_null() -> None:
    for text in (status(sessionId=..., channelId=...), status(sessionId=None, channelId=None)):
        event = decode(text)
        assert isinstance(event, StatusEvent)
        assert (event.session_id, event.channel_id) == ("", "")


def test_odd_values_in_other_fields_spoil_nothing() -> None:
    for text in (
        status(messageOldStatus={"a": [1]}),
        status(messageOldStatus="x" * 65),
        status(extra=1).replace(b'"extra":1', b'"extra":1e999'),
        status(messageNewStatus={"status": "DELIVERED", "updatedTime": 1}).replace(b'Time":1}', b'Time":1e999}'),
    ):
        event = decode(text)
        assert isinstance(event, StatusEvent)
        assert event.message_id == "50007000000006017"


def test_the_last_of_two_equal_keys_holds_on_both_paths() -> None:
    fast = orjson.dumps(STATUS)[:-1] + b',"orgId":"2"}'
    slow = fast[:-1] + b',"x":1e999,"eventTime":1e999}'
    for text in (fast, slow):
        event = decode(text)
        assert isinstance(event, StatusEvent)
        assert event.org_id == "2"


def test_a_message_meets_its_statuses_and_other_events_their_session() -> None:
    add = b'{"eventType":"IM_Message_Add","orgId":1,"payload":{"id":"5","sessionId":"6"}}'
    session = b'{"eventType":"IM_Session_Status","orgId":1,"payload":{"id":"5","sessionId":"6"}}'
    bare = b'{"eventType":"Something","orgId":"1"}'
    assert decode(add) == OtherEvent("1", "IM_Message_Add", "5")
    assert decode(session) == OtherEvent("1", "IM_Session_Status", "6")
    assert decode(bare) == OtherEvent("1", "Something", "1")
    assert decode(b'{"eventType":"Something","orgId":{}}') == OtherEvent("", "Something", "")
    for text in (add, session, bare):
        event = decode(text)
        assert not isinstance(event, Rejected)
        assert route(text) == (key_of(event), event.org_id, type_of(event))


ids = st.one_of(
    st.integers(),
    st.integers(min_value=10**18, max_value=10**25),
    st.text(max_size=66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.booleans(),
    st.lists(st.integers(), max_size=1),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)
elements = st.fixed_dictionaries(
    {},
    optional={
        "eventType": st.sampled_from(["IM_Message_Status", "IM_Message_Add", "IM_Session_Status", "", "New", 1, None]),
        "orgId": ids,
        "eventTime": anything,
        "payload": anything
        | st.fixed_dictionaries(
            {},
            optional={
                "messageId": ids,
                "id": ids,
                "sessionId": ids,
                "channelId": ids,
                "messageOldStatus": st.sampled_from(["SENT", None, 5, "x" * 65]),
                "messageNewStatus": anything
                | st.fixed_dictionaries({}, optional={"status": st.text(max_size=66), "updatedTime": anything}),
            },
        ),
    },
)


@given(elements)
def test_both_paths_and_the_ingress_agree_on_every_element(element: dict[str, object]) -> None:
    text = msgspec.json.encode(element)
    # A number past what Python holds, in a field that nobody reads, sends the same element down the slow path.
    slow = text[:-1] + (b"," if element else b"") + b'"zz":{"y":1e999}}'
    event = decode(text)
    assert decode(slow) == event
    assert decode(msgspec.Raw(text)) == event
    routed = route(text)
    if isinstance(event, Rejected):
        assert routed == event
    else:
        assert routed == (key_of(event), event.org_id, type_of(event))


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    assert isinstance(decode(text), StatusEvent | OtherEvent | Rejected)
    assert isinstance(route(text), tuple | Rejected)
