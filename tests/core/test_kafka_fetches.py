"""What a consumer knows of a partition is as old as its question, however late the answer is looked at."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import consumer, fetcher, subscription_state

from core.clock import now_ms
from core.kafka import TopicSpec, create_topics
from core.kafka_fetches import Fetcher, use_question_times
from tests.core.held import HeldAnswers


def test_the_hooks_are_where_they_were() -> None:
    theirs: Any = Fetcher.__bases__[0]
    assert theirs is fetcher.Fetcher
    assert "self._fetcher = Fetcher(" in inspect.getsource(consumer.AIOKafkaConsumer.start)
    assert " = TopicPartitionState(self)" in inspect.getsource(subscription_state.Assignment.__init__)
    answered = inspect.getsource(theirs._proc_fetch_request)
    # The answer is taken in one step, its time last.
    steps = ["await self._client.send(", "tp_state.highwater = ", "tp_state.lso = ", "tp_state.timestamp = "]
    places = [answered.index(step) for step in steps]
    assert places == sorted(places)
    assert "await" not in answered[places[1] : places[-1]]


@pytest.fixture
async def part(kafka: str, monkeypatch: pytest.MonkeyPatch) -> TopicPartition:
    monkeypatch.setattr(consumer, "Fetcher", consumer.Fetcher)  # as they are again afterwards
    monkeypatch.setattr(subscription_state, "TopicPartitionState", subscription_state.TopicPartitionState)
    use_question_times()
    topic = f"fetches-{uuid4()}"
    await create_topics(kafka, [TopicSpec(topic)], partitions=1, replication=1)
    return TopicPartition(topic, 0)


@pytest.mark.stack
async def test_a_late_answer_is_as_old_as_its_question(kafka: str, part: TopicPartition) -> None:
    reader = AIOKafkaConsumer(bootstrap_servers=kafka, fetch_max_wait_ms=50, auto_offset_reset="earliest")
    async with reader, AIOKafkaProducer(bootstrap_servers=kafka) as writer:
        answers = HeldAnswers(reader)
        reader.assign([part])
        await answers.next()
        assert reader.last_poll_timestamp(part) is None
        await asyncio.sleep(0.01)
        written = now_ms()
        await writer.send_and_wait(part.topic, b"a", partition=0)
        # Only now does the consumer come to an answer that knows nothing of the record.
        answers.let_go()
        await answers.next()
        assert reader.highwater(part) == 0
        assert 0 < reader.last_poll_timestamp(part) < written
        answers.let_go()
        assert (await reader.getone()).value == b"a"
        assert reader.highwater(part) == 1
        assert written <= reader.last_poll_timestamp(part) <= now_ms()
        answers.let_go()
