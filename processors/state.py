"""The message state of one raw partition, and how it is kept in memory; `processors.disk` keeps it on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from processors import rules
from processors.expiry import Expiry, MessageKey

_DIGITS: Final = 20
_NONE: Final[Mapping[str, int]] = MappingProxyType({})
Place = tuple[str, str]
"""Channel and session of a record, '' where it names none."""
WrittenPlace = tuple[str, int | str | None]
"""The same with the session as it was written: most states never need its text."""


class State(ABC):
    """Facts by org, message and status. A fact is packed as in `processors.rules`; 0 stands for none."""

    position: int | None
    """Changelog offset up to which the state is complete on disk; None: read the changelog from its beginning."""

    @abstractmethod
    def __len__(self) -> int:
        """Messages kept."""

    @abstractmethod
    def ladder(self, org_id: str, key: MessageKey) -> int:
        """Return a message's integer of ladder facts."""

    @abstractmethod
    def off_ladder(self, org_id: str, key: MessageKey) -> Mapping[str, int]:
        """Return a message's facts off the ladder, by status."""

    @abstractmethod
    def set(self, org_id: str, key: MessageKey, status: str, fact: int, place: Place) -> None:
        """Set a fact unless one with a lower offset is set; its received time says when it may be forgotten."""

    @abstractmethod
    def put(  # noqa: PLR0917 -- once a record
        self, org_id: str, key: MessageKey, known: int, after: int, received: int, place: WrittenPlace
    ) -> None:
        """Set a message's ladder facts from `known`, which is what `ladder` returned, to `after`.

        They differ in the fact of a record that was received at `received`, epoch ms.
        """

    @abstractmethod
    def drop(self, org_id: str, key: MessageKey, status: str) -> None:
        """Forget a fact."""

    @abstractmethod
    def keep_alert(self, name: bytes, value: bytes | None) -> None:
        """Keep a record of an alert, as the changelog has it."""

    @abstractmethod
    def alerts(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the alerts that were on disk when the state was opened."""

    @abstractmethod
    def newest(self) -> Iterator[tuple[str, MessageKey, int, Place]]:
        """Yield the messages that were on disk: org, key, ladder facts, and the place of the highest of them."""

    @abstractmethod
    def due(self, limit: int, most: int) -> Iterator[tuple[str, MessageKey]]:
        """Yield up to `most` messages first heard of before `limit` (epoch ms), oldest first, each once."""

    @abstractmethod
    def keep_until_due(self, org_id: str, key: MessageKey, received: int) -> None:
        """Keep a message that was due as long as one first heard of at `received` (epoch ms)."""

    @abstractmethod
    def seal(self) -> None:
        """End what belongs to one outbox: it goes to disk when that is written, with a call of `written`."""

    @abstractmethod
    def written(self) -> None:
        """Put the oldest sealed changes on disk, with the position: the changelog has acknowledged them."""

    @abstractmethod
    def flush(self) -> None:
        """Put on disk everything that was set, with the position: it came from the changelog."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held; the state cannot be used after it."""


def facts_of(state: State, org_id: str, key: MessageKey) -> dict[str, int]:
    """Return all facts of a message, by status."""
    known = state.ladder(org_id, key)
    ladder = {status: fact for status, rank in rules.RANKS.items() if (fact := rules.fact_of(known, rank))}
    return {**ladder, **state.off_ladder(org_id, key)}


def with_off_ladder(others: Mapping[str, int], status: str, fact: int) -> dict[str, int]:
    """Return facts off the ladder with the fact of one status set (recovery keeps the lower offset)."""
    old = others.get(status)
    return dict(others) if old and rules.offset_of(old) <= rules.offset_of(fact) else {**others, status: fact}


class MemoryState(State):
    """Dictionaries: an integer a message, in a dictionary that the garbage collector never walks."""

    def __init__(self) -> None:
        self.position: int | None = None
        self._ladder: dict[str, dict[MessageKey, int]] = {}
        self._off_ladder: dict[str, dict[MessageKey, dict[str, int]]] = {}
        self._expiry = Expiry()

    def __len__(self) -> int:
        return sum(map(len, self._ladder.values())) + sum(map(len, self._off_ladder.values()))

    def ladder(self, org_id: str, key: MessageKey) -> int:
        """Return a message's integer of ladder facts."""
        messages = self._ladder.get(org_id)
        return messages.get(key, 0) if messages is not None else 0

    def off_ladder(self, org_id: str, key: MessageKey) -> Mapping[str, int]:
        """Return a message's facts off the ladder."""
        messages = self._off_ladder.get(org_id)
        return messages.get(key, _NONE) if messages is not None else _NONE

    def set(self, org_id: str, key: MessageKey, status: str, fact: int, place: Place) -> None:
        """Set a fact; its place is in the changelog."""
        del place
        rank = rules.RANKS.get(status)
        messages = self._ladder.get(org_id)
        if messages is None:
            messages = self._ladder[org_id] = {}
        known = messages.get(key, 0)
        if not known and not self.off_ladder(org_id, key):
            self._expiry.add(org_id, key, rules.received_of(fact))
        if rank is not None:
            messages[key] = rules.with_fact(known, rank, fact)
        else:
            others = with_off_ladder(self.off_ladder(org_id, key), status, fact)
            self._off_ladder.setdefault(org_id, {})[key] = others

    def put(  # noqa: PLR0917 -- once a record
        self, org_id: str, key: MessageKey, known: int, after: int, received: int, place: WrittenPlace
    ) -> None:
        """Set a message's ladder facts."""
        del place
        messages = self._ladder.get(org_id)
        if messages is None:
            messages = self._ladder[org_id] = {}
        if not known and not self.off_ladder(org_id, key):
            self._expiry.add(org_id, key, received)
        messages[key] = after

    def drop(self, org_id: str, key: MessageKey, status: str) -> None:
        """Forget a fact."""
        rank = rules.RANKS.get(status)
        if rank is None:
            others = self._off_ladder.get(org_id, {})
            left = {name: known for name, known in others.get(key, _NONE).items() if name != status}
            if left:
                others[key] = left
            else:
                others.pop(key, None)
            return
        messages = self._ladder.get(org_id, {})
        known = rules.without_fact(messages.get(key, 0), rank)
        if known:
            messages[key] = known
        else:
            messages.pop(key, None)

    def keep_alert(self, name: bytes, value: bytes | None) -> None:
        """Do nothing: the changelog is this state's disk."""

    def alerts(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield nothing."""
        return iter(())

    def newest(self) -> Iterator[tuple[str, MessageKey, int, Place]]:
        """Yield nothing."""
        return iter(())

    def due(self, limit: int, most: int) -> Iterator[tuple[str, MessageKey]]:
        """Yield messages to forget."""
        return self._expiry.due(limit, most)

    def keep_until_due(self, org_id: str, key: MessageKey, received: int) -> None:
        """Keep a message that was due."""
        self._expiry.add(org_id, key, received)

    def seal(self) -> None:
        """Do nothing: the changelog is this state's disk."""

    def written(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def message_key(message_id: str) -> MessageKey:
    """Return the key of a message in memory; `str()` of it is the id again."""
    if message_id.isdecimal() and message_id.isascii() and message_id[0] != "0" and len(message_id) <= _DIGITS:
        return int(message_id)
    return message_id
