"""The traffic is the same for the same seed, and shaped as the source's."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import pytest

from core.errors import ConfigError
from sandbox.answer_key import answer
from sandbox.answer_key.reading import Told, Unusable, iso_ms, read
from sandbox.answer_key.records import of_bodies
from sandbox.simulator import Traffic, calls, events
from schemas.events import decode, key_of
from schemas.shapes import Rejected

NOW = 1_763_900_000_000
USUAL = Traffic(now_ms=NOW, messages=4000, broken=7, seed=3)
CALM = Traffic(now_ms=NOW, messages=1000, duplicates=0, reorder=0, missing=0, strange=0, siblings=False)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    first = list(events(USUAL))
    assert first == list(events(USUAL))
    other = list(events(Traffic(now_ms=NOW, messages=4000, broken=7, seed=4)))
    assert not {event.key for event in first if event.key} & {event.key for event in other if event.key}


def test_events_leave_in_the_order_of_their_webhooks_and_none_after_now() -> None:
    times = [event.at_ms for event in events(USUAL)]
    assert times == sorted(times)
    assert USUAL.start_ms <= times[0]
    assert times[-1] <= NOW


def test_every_event_is_one_and_exactly_the_broken_ones_are_none() -> None:
    stream = list(events(USUAL))
    for event in stream:
        decoded = decode(event.body)
        assert isinstance(decoded, Rejected) is (not event.kind)
        if not isinstance(decoded, Rejected):
            assert key_of(decoded) == event.key
    assert sum(not event.kind for event in stream) == 7
    assert sum(isinstance(read(event.body), Unusable) for event in stream) == 7


def test_fields_stand_in_the_sources_own_order() -> None:
    body = next(event.body for event in events(CALM))
    element = json.loads(body)
    assert list(element) == ["payload", "eventTime", "eventType", "orgId"]
    assert list(element["payload"]) == ["messageOldStatus", "messageNewStatus", "messageId", "sessionId", "channelId"]
    assert list(element["payload"]["messageNewStatus"]) == ["updatedTime", "status"]


def test_ids_come_as_numbers_and_as_strings_of_up_to_twenty_digits() -> None:
    forms: dict[str, set[tuple[type, int]]] = defaultdict(set)
    for event in events(CALM):
        element = json.loads(event.body)
        message = element["payload"]["messageId"]
        forms[element["orgId"]].add((type(message), len(str(message))))
    assert sorted(map(str, forms.values())) == [
        "{(<class 'int'>, 18)}",
        "{(<class 'int'>, 20)}",
        "{(<class 'str'>, 18)}",
    ]


def test_two_orgs_number_their_messages_alike() -> None:
    orgs: dict[str, set[str]] = defaultdict(set)
    for event in events(CALM):
        orgs[event.key].add(event.org)
    assert max(map(len, orgs.values())) == 2


def test_each_kind_of_channel_tells_only_what_it_can() -> None:
    key = answer(of_bodies([event.body for event in events(USUAL)], NOW))
    told: dict[str, Counter[str]] = defaultdict(Counter)
    kinds = ("WHATSAPP", "INSTAGRAM", "FACEBOOKMESSENGER", "IM_TALK")
    for row in key.tables["transitions"]:
        place = int(str(row["channel_id"])[:18]) % 100
        told[kinds[place]][str(row["new_status"])] += 1
    ladder = {kind: {"SENT", "DELIVERED", "READ"} & set(counts) for kind, counts in told.items()}
    assert ladder == {
        "WHATSAPP": {"SENT", "DELIVERED", "READ"},
        "FACEBOOKMESSENGER": {"SENT", "DELIVERED", "READ"},
        "INSTAGRAM": {"SENT", "READ"},
        "IM_TALK": {"SENT"},
    }


def test_everything_that_can_go_wrong_does() -> None:
    bodies = [event.body for event in events(USUAL)]
    key = answer(of_bodies(bodies, NOW))
    rows = key.tables["transitions"]
    assert {row["time_source"] for row in rows} == {"updated", "event"}
    assert {row["implied"] for row in rows} == {0, 1, 2}
    assert any(row["out_of_order"] for row in rows)
    assert any(row["contradiction"] for row in rows)
    assert any((row["sent_to_delivered_ms"] or 0) < 0 for row in rows)  # type: ignore[operator] # a number here
    assert any(row["delivered_implied"] for row in key.tables["message_state"])
    assert any(row["late"] for row in key.tables["channel_windows"])
    assert {"FAILED", "QUEUED"} <= {row["new_status"] for row in rows}
    assert min(key.ledger.values()) > 0


def test_without_noise_nothing_is_doubled_and_almost_nothing_out_of_order() -> None:
    key = answer(of_bodies([event.body for event in events(CALM)], NOW))
    assert key.ledger["duplicate"] == 0
    # Webhooks of two changes within a second may still overtake one another.
    assert sum(bool(row["out_of_order"]) for row in key.tables["transitions"]) < 0.1 * key.ledger["applied"]


def test_no_time_lies_near_the_edge_where_its_exact_arrival_would_decide() -> None:
    hour = 3_600_000
    traffic = Traffic(now_ms=NOW, messages=2000, strange=0.2, seed=9)
    for event in map(read, (event.body for event in events(traffic))):
        if isinstance(event, Told):
            ago = NOW - (event.updated_ms if event.updated_ms is not None else event.event_ms or 0)
            assert ago < 47 * hour or ago > 49 * hour
            assert ago > 0 or ago < -2 * hour


@pytest.mark.parametrize("senders", [1, 8])
def test_calls_carry_every_event_once_and_a_message_stays_with_one_sender(senders: int) -> None:
    stream = list(events(USUAL))
    made = list(calls(stream, senders=senders))
    assert Counter(event for call in made for event in call.events) == Counter(stream)
    assert {len(call.events) for call in made} >= {1, 2, 10, 50}
    assert max(len(call.events) for call in made) == 50
    by_message: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    senders_of: dict[str, set[int]] = defaultdict(set)
    for call in made:
        assert {event.org for event in call.events} == {call.org}
        assert len(json.loads(call.body)) == len(call.events)
        for event in call.events:
            by_message[event.org, event.key].append(event.body)
            senders_of[event.key].add(call.sender)
    assert max(map(len, senders_of.values())) == 1
    expected: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for event in stream:
        expected[event.org, event.key].append(event.body)
    assert {key: each for key, each in by_message.items() if key[1]} == {
        key: each for key, each in expected.items() if key[1]
    }


def test_with_linger_no_event_waits_longer_for_its_array_to_fill() -> None:
    for call in calls(events(USUAL), linger_ms=1000):
        assert call.events[-1].at_ms - call.events[0].at_ms < 2000


def test_times_have_no_to_three_fractional_digits() -> None:
    texts = [json.loads(event.body)["payload"]["messageNewStatus"].get("updatedTime") for event in events(CALM)]
    assert {len(text) for text in texts if text} >= {22, 23, 24}
    assert all(iso_ms(text) for text in texts if text)


@pytest.mark.parametrize(
    ("name", "value"), [("duplicates", 1.5), ("missing", -0.1), ("orgs", 0), ("span_ms", 0), ("span_ms", 10**9)]
)
def test_values_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError):
        Traffic(now_ms=NOW, **{name: value})  # type: ignore[arg-type] # one of several types
