"""From the bytes of a body to what is accepted and what is parked."""

from __future__ import annotations

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import MAX_DEPTH, Group, NotJson, Split, documented, split, strip
from schemas.events import route
from schemas.shapes import Rejected

EVENT = b'{"eventType":"New","orgId":"1"}'


def taken(body: bytes) -> Split:
    """Split a body that must be readable."""
    found = split(strip(body))
    assert isinstance(found, Split), found
    return found


def refused(body: bytes) -> str:
    """Return why a body cannot be read."""
    found = split(strip(body))
    assert isinstance(found, NotJson), found
    return found.reason


def test_every_element_keeps_its_exact_text_and_order() -> None:
    texts = [
        b'{ "eventType" : "A",\n"orgId":"1" }',
        b'{"eventType":"B","x":1.50,"y":1e999,"z":50007000000006017123}',
        '{"eventType":"C","x":"é\\u00e9🙂\\ud83d\\ude00"}'.encode(),
        b'{"eventType":"A","eventType":"D"}',
    ]
    found = taken(b" [ " + b" , ".join(texts) + b" ] \n")
    assert [text for _, text, _ in found.accepted] == texts
    assert [group.event_type for _, _, group in found.accepted] == ["A", "B", "C", "D"]


def test_events_are_counted_by_org_and_type() -> None:
    events = [b'{"eventType":"%s","orgId":%d}' % (kind, org) for kind in (b"A", b"B") for org in (1, 2, 1)]
    found = taken(b"[" + b",".join(events) + b"]")
    assert [(group.org, group.event_type, group.count) for group in found.groups] == [
        ("1", "A", 2),
        ("2", "A", 1),
        ("1", "B", 2),
        ("2", "B", 1),
    ]
    assert all(group in found.groups for _, _, group in found.accepted)


def test_what_is_no_event_is_parked_with_its_exact_text() -> None:
    found = taken(b"[1, " + EVENT + b', {"a" : 1.0}, "x", [ ], null]')
    assert len(found.accepted) == 1
    assert [(item.text, item.reason) for item in found.parked] == [
        (b"1", "not_an_object"),
        (b'{"a" : 1.0}', "no_event_type"),
        (b'"x"', "not_an_object"),
        (b"[ ]", "not_an_object"),
        (b"null", "not_an_object"),
    ]


@pytest.mark.parametrize("body", [EVENT, b"\xef\xbb\xbf" + EVENT, b"\xef\xbb\xbf \r\n\t" + EVENT + b" "])
def test_a_single_object_is_an_array_of_one(body: bytes) -> None:
    assert taken(body).accepted == [(b"1", EVENT, Group("1", "New", 1))]


@pytest.mark.parametrize("value", [b"1", b"1.0", b'"text"', b"null", b"true", b"-0"])
def test_any_other_single_value_is_parked(value: bytes) -> None:
    found = taken(value)
    assert found.accepted == []
    assert [item.text for item in found.parked] == [value]


@pytest.mark.parametrize(
    "bad",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'"\\ud800"',
        b'"\\udc00"',
        b'"\\ud800\\ud800"',
        b'"\\ud800x"',
        b'"\\ud800\\n"',
        b'{"\\udfff":1}',
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1",
        b"'a'",
        b'"\n"',
        b'"\x00"',
        b'"\\x41"',
        b'"\\u12"',
        b"[1,]",
        b'{"a":1,}',
        b"{1:2}",
        b"tru",
        b"/**/1",
        b"1 2",
        b"[",
        b"]",
        b'"',
        b"\x0b1",
        b"\xc2\xa01",
    ],
)
@pytest.mark.parametrize("around", [b"%s", b"[%s]", b"[" + EVENT + b',{"eventType":"New","x":%s}]'])
def test_what_is_not_json_is_refused_wherever_it_stands(bad: bytes, around: bytes) -> None:
    assert refused(around % bad) == "not_json"


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"])
def test_text_that_is_not_utf8_is_refused_even_in_fields_nobody_reads(bad: bytes) -> None:
    assert refused(b'[{"eventType":"New","x":"' + bad + b'"}]') == "invalid_utf8"
    assert refused(bad) == "invalid_utf8"


def nested(depth: int) -> list[bytes]:
    """Return JSON texts of exactly this depth, their brackets told apart from those in strings."""
    noise = b'{"eventType":"[[[[{{{{\\"[[","orgId":"1"}'
    return [
        b"[" * depth + b"]" * depth,
        b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1),
        b"[" + b",".join([noise] * 90) + b"," + b"[" * (depth - 1) + b"]" * (depth - 1) + b"]",
        b'[{"eventType":"New","x":' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}]",
    ]


def test_nesting_is_allowed_to_128_levels_exactly() -> None:
    for body in nested(MAX_DEPTH):
        assert isinstance(split(body), Split)
    for depth in (MAX_DEPTH + 1, 5000, 200_000):
        for body in nested(depth):
            assert refused(body) == "too_deep"


def test_brackets_within_text_are_no_nesting() -> None:
    assert taken(b'[{"eventType":"New","x":"' + b"[{" * 5000 + b'\\""}]').parked == []


def test_an_array_of_any_length_is_split() -> None:
    found = taken(b"[" + b",".join([EVENT] * 100_000) + b"]")
    assert len(found.accepted) == 100_000


def strict(body: bytes) -> object:
    """Decode by the standard library with all that it tolerates refused."""

    def no_constant(name: str) -> None:
        raise ValueError(name)

    value = json.loads(body.decode(), parse_constant=no_constant)
    json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    return value


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(value=values, ascii_only=st.booleans(), indent=st.booleans())
def test_any_json_is_split_into_all_of_its_elements(value: object, *, ascii_only: bool, indent: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=2 if indent else None).encode(errors="surrogatepass")
    found = taken(body)
    expected = value if isinstance(value, list) else [value]
    assert len(found.accepted) + len(found.parked) == len(expected)
    got = [text for _, text, _ in found.accepted] + [item.text for item in found.parked]
    for text in got:
        assert body.count(text)
    assert sorted(map(repr, map(json.loads, got))) == sorted(map(repr, expected))


@given(st.data())
def test_a_damaged_body_is_refused_exactly_when_it_is_no_json(data: st.DataObject) -> None:
    body = bytearray(orjson.dumps([{"eventType": "New", "x": [1.5, "é\n", {"y": None}]}, 7, "z"]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        if not body:
            return
    text = strip(bytes(body))
    if not text:
        return
    try:
        strict(text)
    except ValueError:
        assert isinstance(split(text), NotJson)
    else:
        assert isinstance(split(text), Split)


@given(st.binary(max_size=200))
def test_no_body_makes_it_raise(body: bytes) -> None:
    assert isinstance(split(strip(body) or b"0"), Split | NotJson)


ids = st.sampled_from([1, "1", -3, 2**70, "", "x" * 65, 1.0, None, True])


@given(st.lists(st.tuples(ids, ids, st.sampled_from(["SENT", "", 5])), min_size=1, max_size=5))
def test_a_whole_array_is_judged_as_each_of_its_elements(drawn: list[tuple[object, object, object]]) -> None:
    texts = [
        json.dumps(
            {
                "eventType": "IM_Message_Status",
                "orgId": org,
                "payload": {"messageId": message, "messageNewStatus": {"status": status}},
            }
        ).encode()
        for org, message, status in drawn
    ]
    each = list(map(route, texts))
    found = documented(b"[" + b",".join(texts) + b"]", texts)
    if found is None:
        assert any(isinstance(judged, Rejected) for judged in each)
        return
    assert [text for _, text, _ in found.accepted] == texts
    assert [(key.decode(), group.org, group.event_type) for key, _, group in found.accepted] == each
    assert len(found.groups) == len({group.org for _, _, group in found.accepted})
    assert sum(group.count for group in found.groups) == len(texts)


def test_a_huge_number_is_no_infinity() -> None:
    assert math.isinf(float("1e999"))
    assert len(taken(b'[{"eventType":"New","x":1e999}]').accepted) == 1
