"""Who may commit: a member of the group, and whoever was given partitions by hand; nobody that was put out."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.consumer import consumer, group_coordinator
from aiokafka.errors import CommitFailedError

from core.kafka_groups import GroupCoordinator, use_fenced_commits
from schemas import topics
from tests.ingest.waiting import until

PART = TopicPartition(topics.ALERTS, 0)


def test_the_hooks_are_where_they_were() -> None:
    theirs: Any = GroupCoordinator.__bases__[0]
    assert theirs is group_coordinator.GroupCoordinator
    assert list(inspect.signature(theirs._do_commit_offsets).parameters) == ["self", "assignment", "offsets"]
    assert "self.generation = OffsetCommitRequest.DEFAULT_GENERATION_ID" in inspect.getsource(theirs.reset_generation)
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(consumer.AIOKafkaConsumer.start)


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(consumer, "GroupCoordinator", consumer.GroupCoordinator)  # as it is again afterwards
    use_fenced_commits()
    return f"fence-{uuid4()}"


class Leaving(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Commits when its partitions are taken: only once others have come and gone."""

    def __init__(self) -> None:
        self.consumer: Any = None
        self.are_gone = asyncio.Event()
        self.answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if not revoked or self.answer.done():
            return
        await self.are_gone.wait()
        try:
            await self.consumer.commit({PART: 2})
        except CommitFailedError as error:
            self.answer.set_result(error)
        else:
            self.answer.set_result("accepted")

    async def on_partitions_assigned(self, assigned: Any) -> None: ...


@pytest.mark.stack
async def test_a_member_that_was_put_out_takes_no_commit_back(kafka: str, group: str) -> None:
    leaving = Leaving()
    leaving.consumer = member = await _member(kafka, group, leaving)
    try:
        await member.commit({PART: 1})
        # As after a silence: the group has forgotten it, and it has heard so.
        await member._coordinator._maybe_leave_group()
        other = await _member(kafka, group)
        await other.commit({PART: 5})
        await other.stop()
        leaving.are_gone.set()
        assert isinstance(await asyncio.wait_for(leaving.answer, 30), CommitFailedError)
        assert await _committed(kafka, group) == 5
    finally:
        leaving.are_gone.set()
        await member.stop()


@pytest.mark.stack
async def test_a_consumer_that_is_no_member_commits_as_ever(kafka: str, group: str) -> None:
    by_hand = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    async with by_hand:
        by_hand.assign([PART])
        await by_hand.commit({PART: 3})
    assert await _committed(kafka, group) == 3


async def _member(kafka: str, group: str, listener: Leaving | None = None) -> Any:
    member = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await member.start()
    member.subscribe([topics.ALERTS], listener=listener)
    await member.getmany(timeout_ms=0)
    await until(lambda: PART in member.assignment())
    return member


async def _committed(kafka: str, group: str) -> int | None:
    asking = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    async with asking:
        found: int | None = await asking.committed(PART)
        return found
