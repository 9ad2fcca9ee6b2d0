"""A world for the engines: records made by hand, topics as lists, crashes at will."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from processors.disk import RocksState
from processors.receipts import ON_THE_WAY_MS, Receipts, Retention
from processors.state import MemoryState, State
from processors.totals import Totals
from schemas import topics
from schemas.alert_rules import MessageRule
from schemas.times import to_iso

HOUR = 3_600_000
NOW = 1_760_000_000_000
RETENTION = Retention(window=48 * HOUR, spool=24 * HOUR, state=14 * 24 * HOUR)

Headers = list[tuple[str, bytes | None]]


@dataclass
class FakeRecord:
    """A record as the engines see it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)
    timestamp: int = NOW


def status_event(
    status: str,
    time: int | str | None,
    *,
    message: int | str = 50007000000006017,
    old: str | None = None,
    org: str = "1",
    channel: int | str = 7,
    event_time: object = None,
) -> bytes:
    """Return the JSON text of a status event; a `time` in epoch ms is written as Zoho does."""
    return orjson.dumps(
        {
            "payload": {
                "messageOldStatus": old,
                "messageNewStatus": {"updatedTime": to_iso(time) if isinstance(time, int) else time, "status": status},
                "messageId": message,
                "sessionId": 3,
                "channelId": channel,
            },
            "eventTime": event_time,
            "eventType": "IM_Message_Status",
            "orgId": org,
        }
    )


def raw(offset: int, value: bytes, *, received: int = NOW, origin: str = "", key: bytes = b"k") -> FakeRecord:
    """Return a raw record with the ingress's headers."""
    headers: Headers = [("received", b"%d" % received)]
    if origin:
        headers.append(("origin", origin.encode()))
    return FakeRecord(offset, key, value, headers)


Line = tuple[str, int, bytes | None, bytes | None, Headers]


class ListOutbox:
    """An outbox that keeps what was appended, in order."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def to(self, topic: str, partition: int) -> Callable[..., None]:
        """Return what appends to a partition of a topic."""

        def append(key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
            self.lines.append((topic, partition, key, value, headers or []))

        return append

    def values(self, topic: str) -> list[bytes]:
        """Return the values appended to a topic."""
        return [value for name, _, _, value, _ in self.lines if name == topic and value is not None]


HELD = -1.0
"""The share of what stays on its way."""


def torn(outbox: ListOutbox, share: float) -> list[Line]:
    """Return a part of an outbox: of each topic's lines the first few, as topics are written beside each other.

    Of a share of 0 it is nothing; any other draws how much.
    """
    draw = random.Random(share)  # noqa: S311 -- no secret
    counts: dict[str, int] = defaultdict(int)
    for topic, *_ in outbox.lines:
        counts[topic] += 1
    left = {topic: draw.randint(0, count) if share else 0 for topic, count in counts.items()}
    found = []
    for line in outbox.lines:
        if left[line[0]]:
            left[line[0]] -= 1
            found.append(line)
    return found


class World:
    """One raw partition, its two steps, and everything durable, driven as a lane drives them.

    Of what is decided a `share` is written: 1 all of it, HELD leaves it on its way behind what is there already, and
    anything between is a crash in the midst of everything that is on its way.
    """

    def __init__(
        self,
        log: list[FakeRecord],
        *,
        retention: Retention = RETENTION,
        disk: Path | None = None,
        watch: tuple[MessageRule, ...] = (),
        now: int = NOW,
        fast: bool = True,
    ) -> None:
        """Begin with a raw log; `disk`: keep the message state in RocksDB there instead of in memory."""
        self.now = now
        self.fast = fast
        self.log = log
        self.watch = watch
        self.retention = retention
        self.disk = disk
        self.state: State = MemoryState()
        self.durable: dict[str, list[FakeRecord]] = defaultdict(list)
        self.committed = 0
        self.committed_partials = 0
        self.restart()

    def restart(self) -> None:
        """Start as a new process does: state from the changelogs, positions from the commits."""
        self.state.close()
        self.state = MemoryState() if self.disk is None else RocksState(self.disk)
        self.receipts = Receipts(0, 1, self.retention, self.state, self.watch, fast=self.fast)
        self.totals = Totals(0, 1, self.retention)
        facts = self.durable[topics.changelog(topics.MESSAGES_TABLE)]
        for record in facts[0 if self.state.position is None else self.state.position + 1 :]:
            self.receipts.restore_fact(record.key or b"", record.value)
            self.state.position = record.offset
        for record in self.durable[topics.changelog(topics.PARTIALS_TABLE)]:
            self.receipts.restore_window(record.key or b"", record.value)
        for record in self.durable[topics.changelog(topics.TOTALS_TABLE)]:
            self.totals.restore(record.key or b"", record.value)
        self.state.flush()
        self.position = self.receipts.committed = self.committed
        self.under_way: deque[tuple[ListOutbox, int]] = deque()
        """Outboxes that are not acknowledged yet, each with what may be committed once it is; -1 for no checkpoint."""

    def write(self, lines: list[Line]) -> None:
        """Make lines durable."""
        for topic, _, key, value, headers in lines:
            records = self.durable[topic]
            records.append(FakeRecord(len(records), key, value, headers))
            if topic == topics.changelog(topics.MESSAGES_TABLE):
                self.state.position = len(records) - 1

    def send(self, outbox: ListOutbox, committable: int, share: float) -> None:
        """Send an outbox of the first step behind those under way."""
        self.under_way.append((outbox, committable))
        if share == HELD:
            return
        whole = round(len(self.under_way) * share)
        for left in reversed(range(whole)):
            sent, covered = self.under_way.popleft()
            self.write(sent.lines)
            self.receipts.written()
            if share == 1.0 or left:  # a crash comes before the last commit
                self.committed = self.receipts.committed = max(self.committed, covered)
        if self.under_way:
            self.write(torn(self.under_way[0][0], share))

    def process(self, count: int, *, share: float = 1.0) -> None:
        """Process the next records."""
        outbox = ListOutbox()
        batch = self.log[self.position : self.position + count]
        self.receipts.process(batch, outbox, self.now)
        self.position += len(batch)
        self.send(outbox, -1, share)

    def checkpoint(self, *, share: float = 1.0) -> None:
        """Checkpoint the first step; commit when all of it was written."""
        outbox = ListOutbox()
        self.receipts.checkpoint(outbox)
        self.send(outbox, self.position, share)

    def sum_up(self, *, share: float = 1.0) -> None:
        """Run the second step on what the first has published; commit when all of it was written."""
        outbox = ListOutbox()
        partials = self.durable[topics.PARTIALS]
        self.totals.process(partials[self.committed_partials :])
        self.totals.checkpoint(outbox)
        self.write(outbox.lines if share == 1.0 else torn(outbox, share))
        if share == 1.0:
            self.committed_partials = len(partials)

    def tick(self, seen_until: int | None = None) -> bool:
        """Let the alerts' clock go on: to a moment, or as far as the log tells."""
        return self.receipts.tick(seen_until)

    def finish(self, until: int = NOW) -> None:
        """Process everything that is left, and let all alerts come due until a moment."""
        self.process(len(self.log))
        self.checkpoint()
        self.sum_up()
        self.settle(until + ON_THE_WAY_MS)

    def settle(self, seen_until: int | None = None) -> None:
        """Checkpoint until nothing is under way any more."""
        while self.tick(seen_until):
            self.checkpoint()

    @staticmethod
    def decode(record: FakeRecord) -> dict[str, Any]:
        """Return a record's JSON."""
        found: dict[str, Any] = orjson.loads(record.value or b"")
        return found

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return the published alerts by id, as in ClickHouse: resolved holds over open."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.durable[topics.ALERTS]:
            row = orjson.loads(record.value or b"")
            if row["alert_id"] not in found or row["state"] != "open":
                found[row["alert_id"]] = row
        return found

    def transitions(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return the published transitions by identity: the lowest raw offset holds, as in ClickHouse."""
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for record in self.durable[topics.TRANSITIONS]:
            row = orjson.loads(record.value or b"")
            identity = (row["org_id"], row["message_id"], row["new_status"])
            if identity not in found or row["raw_offset"] < found[identity]["raw_offset"]:
                found[identity] = row
        return found

    def windows(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return the published windows by identity: the highest version holds, the later of two alike."""
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for record in self.durable[topics.WINDOWS]:
            row = orjson.loads(record.value or b"")
            identity = (row["org_id"], row["channel_id"], row["window_start"])
            if identity not in found or row["version"] >= found[identity]["version"]:
                found[identity] = row
        return found
