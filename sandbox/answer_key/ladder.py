"""One message's records in offset order: which apply, which repeat, and what each one reveals."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.answer_key.reading import LADDER, Told
from sandbox.answer_key.records import RawRecord


@dataclass(frozen=True, slots=True)
class Receipt:
    """A status record with the time that counts. `time_source` says which clock told it."""

    raw: RawRecord
    told: Told
    time_ms: int
    time_source: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The first record of a status, and what it reveals."""

    receipt: Receipt
    implied: int
    out_of_order: bool
    contradiction: bool
    sent_to_delivered_ms: int | None
    delivered_to_read_ms: int | None


@dataclass(slots=True)
class Message:
    """One message of one org: its accepted records by status, in the order they came, and its repeats."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    duplicates: list[Receipt] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Take the next record in offset order."""
        status = receipt.told.new_status
        if status in self.accepted:
            self.duplicates.append(receipt)
        elif status in LADDER:
            self.accepted[status] = self._on_ladder(receipt)
        else:
            self.accepted[status] = Accepted(receipt, 0, False, False, None, None)

    def time_of(self, status: str) -> int | None:
        """When the message reached a status, as told; None when nothing told it."""
        found = self.accepted.get(status)
        return found.receipt.time_ms if found else None

    @property
    def first(self) -> Receipt:
        """The record of the lowest offset."""
        return next(iter(self.accepted.values())).receipt

    @property
    def status(self) -> str:
        """The highest ladder status known, else the first one off the ladder."""
        on_ladder = [status for status in LADDER if status in self.accepted]
        return on_ladder[-1] if on_ladder else next(iter(self.accepted))

    def _on_ladder(self, receipt: Receipt) -> Accepted:
        status = receipt.told.new_status
        rank = LADDER.index(status)
        known = [LADDER.index(each) for each in self.accepted if each in LADDER]
        below = [each for each in known if each < rank]
        times = {each: self.time_of(each) for each in LADDER} | {status: receipt.time_ms}
        return Accepted(
            receipt,
            implied=rank - len(below),
            out_of_order=any(each > rank for each in known),
            contradiction=_contradicts(receipt.told.old_status, rank, max(below, default=-1)),
            sent_to_delivered_ms=_completed(times, status, "SENT", "DELIVERED"),
            delivered_to_read_ms=_completed(times, status, "DELIVERED", "READ"),
        )


def _contradicts(old_status: str, rank: int, highest_below: int) -> bool:
    if old_status not in LADDER:
        return False
    old = LADDER.index(old_status)
    return old >= rank or old < highest_below


def _completed(times: dict[str, int | None], status: str, first: str, second: str) -> int | None:
    """Return the latency of a pair that the record of `status` completes."""
    start, end = times[first], times[second]
    if status not in (first, second) or start is None or end is None:
        return None
    return end - start


def follow(receipts: list[Receipt]) -> dict[tuple[str, str], Message]:
    """Follow every message, by org and message id, through its records in offset order."""
    messages: dict[tuple[str, str], Message] = {}
    for receipt in receipts:
        messages.setdefault((receipt.told.org_id, receipt.told.message_id), Message()).add(receipt)
    return messages
