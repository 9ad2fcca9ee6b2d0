"""Fetches, and how fresh their answers are: as fresh as their question, no fresher.

A broker reads the log some time between a question and its answer. aiokafka notes when it came to the answer, which on
a busy machine may be long after: records that were written in between are not in it, and yet the log would seem to have
been read up to then.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

from aiokafka.consumer import consumer, fetcher, subscription_state

from core.clock import now_ms

_asked: Final[ContextVar[int]] = ContextVar("asked")
"""When the question was asked (epoch ms) whose answer is being taken: aiokafka has a task for each question."""


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's, which remembers when it asks."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> bool:
        _asked.set(now_ms())
        return bool(await super()._proc_fetch_request(assignment, node_id, request))


class PartitionState(subscription_state.TopicPartitionState):  # type: ignore[misc]
    """aiokafka's, whose `timestamp` (epoch ms; None before the first answer) is the moment of the question.

    Everything that was in the partition at that moment lies below `highwater`. Another thread may read both,
    `timestamp` first: aiokafka sets it last.
    """

    _timestamp: int | None

    @property
    def timestamp(self) -> int | None:
        """When the last answered question was asked."""
        return self._timestamp

    @timestamp.setter
    def timestamp(self, answered: int | None) -> None:
        # A consumer that was made before has aiokafka's own fetcher, which does not say when it asked.
        self._timestamp = None if answered is None else _asked.get(answered)


def use_question_times() -> None:
    """Let every consumer that is made from now on date what it knows so."""
    consumer.Fetcher = Fetcher
    subscription_state.TopicPartitionState = PartitionState
