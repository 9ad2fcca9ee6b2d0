"""Consumer groups, with a hole of theirs closed: a member that was put out commits nothing.

A member that was silent for too long (its machine stood still, its network was away) hears from its next heartbeat that
it is none any more, and forgets its id and generation. What it commits after that, while it lets go of its partitions,
names neither; and so a broker takes it where the group is empty at the moment: others may have come, gone further, and
left. The commits would go back, and everything since be done again.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import consumer, group_coordinator
from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.commit import OffsetCommitRequest


class GroupCoordinator(group_coordinator.GroupCoordinator):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka's, which refuses such commits itself; to its callers it is a broker's refusal (CommitFailedError)."""

    async def _do_commit_offsets(self, assignment: Any, offsets: Any) -> None:
        # A consumer that was given its partitions by hand is no member, and commits as none.
        is_member = self._subscription.partitions_auto_assigned()
        if is_member and self.generation == OffsetCommitRequest.DEFAULT_GENERATION_ID:
            raise UnknownMemberIdError(self.group_id)
        await super()._do_commit_offsets(assignment, offsets)


def use_fenced_commits() -> None:
    """Let every consumer that is made from now on commit so."""
    consumer.GroupCoordinator = GroupCoordinator
