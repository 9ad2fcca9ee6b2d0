"""Rows: what a record becomes, and what cannot become one."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from sinks.rows import Unusable, dead_line, passed_through, raw_line


@dataclass
class Record:
    value: bytes
    headers: Sequence[tuple[str, bytes]] = field(default_factory=list)
    key: bytes | None = b"k"
    offset: int = 9
    timestamp: int = 1_760_000_000_000


STATUS = (
    b'{"payload":{"messageNewStatus":{"status":"SENT"},"messageId":12345678901234567890,"sessionId":4,"channelId":"c"},'
    b' "eventType":"IM_Message_Status","orgId":"1"}'
)
HEADERS = [("org", b"1"), ("type", b"IM_Message_Status"), ("received", b"1751022087019"), ("source", b"webhook")]


def row(line: object) -> dict[str, object]:
    assert isinstance(line, bytes)
    found: dict[str, object] = orjson.loads(line)
    return found


def test_a_raw_row_has_the_exact_text_and_every_digit() -> None:
    assert row(raw_line(Record(STATUS, HEADERS), 2)) == {
        "org_id": "1",
        "event_type": "IM_Message_Status",
        "message_id": "12345678901234567890",
        "session_id": "4",
        "channel_id": "c",
        "received_time": "2025-06-27T11:01:27.019Z",
        "source": "webhook",
        "delivery": "",
        "status": "SENT",
        "status_time": "2025-06-27T11:01:27.019Z",
        "raw_partition": 2,
        "raw_offset": 9,
        "body": STATUS.decode(),
    }


def test_each_row_is_of_its_own_request_however_its_headers_come() -> None:
    other = tuple((name, b"1751022087020" if name == "received" else value) for name, value in HEADERS)
    records = [
        Record(STATUS, HEADERS),
        Record(STATUS, HEADERS),
        Record(STATUS, other),
        Record(STATUS),
        Record(STATUS, HEADERS),
    ]
    found = [row(raw_line(record, 2)) for record in records]
    assert [str(each["received_time"])[-4:-1] for each in found] == ["019", "019", "020", "000", "019"]
    assert [each["source"] for each in found] == ["webhook", "webhook", "webhook", "", "webhook"]


def test_the_creation_of_a_message_carries_its_own_id_and_channel() -> None:
    value = orjson.dumps({"eventType": "IM_Message_Add", "orgId": 5, "payload": {"id": "77", "channelId": 8}})
    found = row(raw_line(Record(value), 2))
    assert (found["message_id"], found["channel_id"], found["org_id"]) == ("77", "8", "5")
    assert (found["status"], found["status_time"]) == ("", "1900-01-01T00:00:00.000Z")
    assert found["received_time"] == "2025-10-09T08:53:20.000Z"  # the producer's time, where the header is missing


@pytest.mark.parametrize(
    ("updated_time", "event_time", "expected"),
    [
        ("2025-10-09T07:27:19.394Z", "1", "2025-10-09T07:27:19.394Z"),
        ("2025-10-09T07:27:19.3949Z", "1", "2025-10-09T07:27:19.394Z"),
        ("2025-10-09T07:27:19+0530", "1", "2025-10-09T01:57:19.000Z"),
        ("2025-13-09T07:27:19.394Z", "1751022087020", "2025-06-27T11:01:27.020Z"),
        (None, "soon", "2025-06-27T11:01:27.019Z"),
    ],
)
def test_the_time_of_a_status_is_that_of_the_clock_that_counts(
    updated_time: str | None, event_time: str, expected: str
) -> None:
    told = {"messageId": 1, "messageNewStatus": {"status": "READ", "updatedTime": updated_time}}
    value = orjson.dumps({"eventType": "IM_Message_Status", "orgId": 1, "eventTime": event_time, "payload": told})
    found = row(raw_line(Record(value, HEADERS), 2))
    assert (found["status"], found["status_time"]) == ("READ", expected)


def test_a_replayed_record_makes_no_row() -> None:
    assert raw_line(Record(STATUS, [*HEADERS, ("origin", b"2:1")]), 2) is None


def test_an_element_that_is_no_event_still_has_its_row() -> None:
    assert row(raw_line(Record(b"[1,2"), 2))["body"] == "[1,2"


def test_bytes_that_are_no_text_cannot_be_a_row() -> None:
    line = raw_line(Record(b'{"a":"\xff"}', HEADERS), 2)
    assert isinstance(line, Unusable)
    assert line.reason == "not_utf8"


@pytest.mark.parametrize("value", [b'{"a":\n1}', b"", b"null", b"[]"])
def test_a_value_that_would_break_the_batch_is_parked(value: bytes) -> None:
    assert isinstance(passed_through(Record(value), 2), Unusable)


def test_a_dead_letter_says_where_it_came_from() -> None:
    headers = [("stage", b"processor"), ("reason", b"no_status"), ("partition", b"3"), ("offset", b"")]
    found = row(dead_line(Record(b"x", headers), 2))
    assert (found["stage"], found["partition"], found["offset"]) == ("processor", 3, -1)
    assert (found["dead_partition"], found["dead_offset"], found["body"]) == (2, 9, "x")


def test_a_dead_letter_keeps_bytes_that_are_no_text() -> None:
    found = row(dead_line(Record(b"\xff\x00"), 2))
    assert found["body_encoding"] == "base64"
    assert base64.b64decode(str(found["body"])) == b"\xff\x00"
