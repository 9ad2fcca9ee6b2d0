"""Dead letters for the command and the dashboard: judged as the ingress does, sent again as the sinks do."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiokafka.errors import KafkaError

from core.clickhouse import ClickHouse, connect
from core.errors import BrokerUnavailableError
from core.settings import Settings
from dashboard.answers import Change
from ingest.body import NotJson, split, strip
from sinks.letters import Letter, Wanted, discard, find, redrive
from sinks.letters.redrive import Event


def judge(body: bytes) -> list[Event] | str:
    """Judge a text as the ingress does."""
    text = strip(body)
    found = split(text) if text else NotJson("empty", "the text is empty")
    if isinstance(found, NotJson):
        return found.detail
    if found.parked:
        return found.parked[0].detail
    return [Event(key, element, group.org, group.event_type) for key, element, group in found.accepted]


class Desk:
    """Redrives and discards the letters that a page names; the dashboard's `Letters`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def redrive(self, ids: Sequence[str]) -> list[Change]:
        """Send those that are open again, each to the step that refused it."""
        async with connect(self._settings) as clickhouse:
            try:
                outcomes = await redrive(self._settings, clickhouse, Wanted(ids=tuple(ids)), judge)
            except (KafkaError, OSError, ValueError) as error:
                raise BrokerUnavailableError(
                    f"Kafka did not take the letters: {error!r}", fix="Try again: nothing is sent twice"
                ) from error
            sent = [Change(each.letter.id, "redriven" if each.redriven else "open", each.detail) for each in outcomes]
            return [*sent, *await _others(clickhouse, ids, sent, "redriven")]

    async def discard(self, ids: Sequence[str]) -> list[Change]:
        """Mark those that are open."""
        async with connect(self._settings) as clickhouse:
            marked = [Change(each.id, "discarded", "") for each in await discard(clickhouse, Wanted(ids=tuple(ids)))]
            return [*marked, *await _others(clickhouse, ids, marked, "discarded")]


async def _others(clickhouse: ClickHouse, ids: Sequence[str], done: list[Change], wanted: str) -> list[Change]:
    """Tell the letters that were not open any more."""
    left = tuple(set(ids) - {each.id for each in done})
    return [_as_it_is(each, wanted) for each in (await find(clickhouse, Wanted(ids=left)) if left else ())]


def _as_it_is(letter: Letter, wanted: str) -> Change:
    detail = "" if letter.state == wanted else f"it is {letter.state} already"
    return msgspec.convert({"id": letter.id, "state": letter.state, "detail": detail}, Change)
