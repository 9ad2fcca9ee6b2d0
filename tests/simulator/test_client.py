"""The HTTP client against a receiver that behaves, one that fails, and none at all."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from core.errors import ConfigError, IngressRefusedError, IngressUnavailableError
from sandbox.simulator import Traffic, calls, events
from sandbox.simulator.client import Outcome, Pace, send, shown
from tests.simulator.conftest import Receiver, Start

TRAFFIC = Traffic(now_ms=1_763_900_000_000, messages=300, broken=3)


async def deliver(url: str, pace: Pace | None = None) -> Outcome:
    return await send(url, calls(events(TRAFFIC), senders=4), senders=4, pace=pace)


async def test_everything_arrives_each_message_in_its_order(start: Start) -> None:
    receiver = await start(Receiver())
    told: list[bytes] = []
    outcome = await send(
        receiver.url,
        calls(events(TRAFFIC), senders=4),
        senders=4,
        on_sent=lambda call: told.extend(event.body for event in call.events),
    )
    stream = list(events(TRAFFIC))
    assert outcome.events == outcome.accepted == len(stream) == len(told)
    assert outcome.retries == 0
    expected: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in stream:
        if event.kind == "IM_Message_Status":
            expected[event.org, event.key].append(event.body.decode())
    arrived: dict[tuple[str, str], list[object]] = defaultdict(list)
    for element in (element for body in receiver.taken for element in json.loads(body)):
        if isinstance(element, dict) and element.get("eventType") == "IM_Message_Status" and "eventTime" in element:
            arrived[element["orgId"], str(element["payload"]["messageId"])].append(element)
    assert {key: list(map(json.loads, texts)) for key, texts in expected.items()} == arrived


async def test_failures_are_tried_again_and_counted(start: Start) -> None:
    receiver = await start(Receiver(failures=[503, 429, 500]))
    outcome = await deliver(receiver.url)
    assert outcome.retries == 3
    assert outcome.events == sum(len(json.loads(body)) for body in receiver.taken)


async def test_a_refusal_ends_the_run_and_says_what_to_do(start: Start) -> None:
    receiver = await start(Receiver(probe=404))
    with pytest.raises(IngressRefusedError, match="secret"):
        await deliver(receiver.url)
    receiver = await start(Receiver(failures=[401]))
    with pytest.raises(IngressRefusedError, match="ZOHO_JWT_MODE"):
        await deliver(receiver.url)


async def test_a_receiver_that_stays_down_ends_the_run(start: Start) -> None:
    receiver = await start(Receiver(failures=[503] * 10_000))
    with pytest.raises(IngressUnavailableError, match="503"):
        await deliver(receiver.url, Pace(patience_s=0.3))


async def test_an_url_that_nothing_answers_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(IngressUnavailableError, match=rf"127\.0\.0\.1:{unused_tcp_port}"):
        await deliver(f"http://127.0.0.1:{unused_tcp_port}/hook")
    with pytest.raises(ConfigError, match="no URL"):
        await deliver("nonsense")


async def test_the_rate_holds_the_traffic_back(start: Start) -> None:
    receiver = await start(Receiver())
    outcome = await deliver(receiver.url, Pace(rate=2000))
    assert outcome.seconds >= 0.8 * outcome.events / 2000


def test_a_secret_is_not_shown() -> None:
    assert shown("http://h:1/webhooks/zoho-desk/s3cret") == "http://h:1/webhooks/zoho-desk/…"
    assert shown("http://h:1/hook") == "http://h:1/hook"
