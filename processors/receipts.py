"""The first step: message state and window partials of one raw partition.

An engine without I/O: it reads raw records in offset order, keeps the state, and appends what follows from it to an
outbox. The same records give the same outputs however they are batched, and again after a crash:

- a record decides by the offsets of facts, so a replayed record re-asserts its own fact and transition, and a
  duplicate never does;
- a partial counts a record only when its offset is above the partial's `last`; a replayed record marks the window to be
  published again, because the crash may have lost the publication.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from core.clock import iso
from processors import codec, rules
from processors.abilities import Abilities
from processors.alerts import Alerts, Told, encode_alert
from processors.expiry import MessageKey
from processors.outputs import Outputs
from processors.partials import OFF_LADDER, Partials
from processors.places import Places
from processors.ports import Outbox, Record
from processors.reading import Raw, clocks_of, read_headers, transition_row
from processors.rebuild import Rebuild
from processors.rules import Applied, Duplicate
from processors.state import MemoryState, Place, State, facts_of, message_key
from processors.tally import Tally
from processors.usual import Usual
from processors.windows import FUTURE_MS, MINUTE_MS, Moment
from schemas import keys, topics
from schemas.alert_rules import MessageRule
from schemas.events import MESSAGE_EVENT, channel_type_of, decode
from schemas.records import Alert
from schemas.shapes import OtherEvent, Rejected, StatusEvent

FORGET_AT_ONCE: Final = 20_000
"""Most messages forgotten in one checkpoint, so that none takes long."""


ON_THE_WAY_MS: Final = 300
"""How long a record may take from its receipt into the log without being overtaken by a deadline."""


class Retention(NamedTuple):
    """How long things are kept, in ms."""

    window: int
    spool: int
    state: int

    @property
    def closed(self) -> int:
        """How long after its minute a window can still be told something new."""
        return self.window + self.spool + MINUTE_MS


class Receipts:
    """State and partials of one raw partition."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        retention: Retention,
        state: State | None = None,
        watch: tuple[MessageRule, ...] = (),
        *,
        fast: bool = True,
    ) -> None:
        """Begin with what the state has on disk; `watch` are the alert rules.

        `fast`: usual records take the fast paths. Without, every one goes the general way, to the same end.
        """
        self.partition = partition
        self._fast = fast
        self.watermark = 0
        """Newest received time seen, epoch ms."""
        self._seen = self._covered = 0
        """The same of the records that this process has seen itself, and of those that its checkpoints have covered.

        After a crash both fall behind: windows of what is decided again may have to be published again.
        """
        self.committed = 0
        """Raw offset below which no record is read again; told as commits come."""
        self._partitions = partitions
        self._retention = retention
        self.state: State = MemoryState() if state is None else state
        self.partials = Partials(partition, partitions, retention.window, retention.closed)
        self._abilities = Abilities()
        self.alerts = Alerts(watch, self._abilities, self.state.ladder)
        self._adopted = False
        places = Places()
        self._usual = Usual(partition, self.state, self.partials, self.alerts, self._abilities, places)
        self._rebuild = Rebuild(self.state, self.alerts, places)
        for name, value in self.state.alerts():
            self.alerts.restore(name, value)
        for org_id, key, known, place in self.state.newest():
            for told in _ladder_of(org_id, key, known, place):
                self.alerts.restore_fact(told)

    @property
    def messages(self) -> int:
        """Messages in the state."""
        return len(self.state)

    @property
    def windows(self) -> int:
        """Window partials kept."""
        return len(self.partials)

    # --- recovery ---------------------------------------------------------------------------------------------------

    def restore_fact(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the messages changelog; None forgets the fact or alert."""
        if self._fast and self._rebuild.take(key, value):
            return
        if self.alerts.restore(key, value):
            self.state.keep_alert(key, value)
            return
        if value is None:
            org_id, message_id, status = keys.split(key)
            self.state.drop(org_id, message_key(message_id), status)
            return
        fact = codec.decode_fact(key, value)
        packed = rules.pack(fact.time, fact.offset, fact.received)
        name, place = message_key(fact.message_id), (fact.channel_id, fact.session_id)
        self.state.set(fact.org_id, name, fact.status, packed, place)
        rank = rules.RANKS.get(fact.status)
        if rank is not None:
            self.alerts.restore_fact(Told(fact.org_id, name, *place, rank, fact.time, fact.received, fact.offset))

    def restore_window(self, key: bytes, value: bytes | None) -> None:
        """Apply a record of the partials changelog; None drops the window."""
        if key == codec.WATERMARK_KEY:
            self.watermark = max(self.watermark, int(value or 0))
            return
        if value is not None and (self._abilities.restore(key, value) or self.alerts.restore_adoption(key, value)):
            return
        self.partials.restore(key, value)

    # --- processing -------------------------------------------------------------------------------------------------

    def process(self, records: Iterable[Record], outbox: Outbox, now: int) -> None:
        """Decide on raw records in offset order; append facts, transitions and dead letters. `now` in epoch ms."""
        self._adopt()
        out = self._outputs(outbox)
        ceiling = now + FUTURE_MS
        for record in records:
            received = self._usual.take(record, out, self.watermark) if self._fast else 0
            received = received or self._general(record, out, outbox, now)
            if received > self._seen:
                # A received time in the future is a broken clock; it must not close windows.
                self._seen = max(self._seen, min(received, ceiling))
                self.watermark = max(self.watermark, self._seen)
        self.state.seal()

    @property
    def tally(self) -> Tally:
        """What was counted since the last `take_tally`."""
        return self._usual.tally

    def take_tally(self) -> Tally:
        """Return what was counted, and begin anew."""
        taken, self._usual.tally = self._usual.tally, Tally()
        taken.late, self.partials.late = self.partials.late, 0
        taken.closed, self.partials.closed = self.partials.closed, 0
        return taken

    def _general(self, record: Record, out: Outputs, outbox: Outbox, now: int) -> int:
        """Decide on any record, step by step; return its received time (epoch ms), 0 where it has none."""
        raw = read_headers(record, self.partition)
        if isinstance(raw, Rejected):
            self._park(record, raw, outbox, now)
            return 0
        event = decode(record.value or b"")
        if isinstance(event, StatusEvent):
            self._status(event, raw, out)
        elif not isinstance(event, Rejected):
            self._other(event, record, raw)
        elif not raw.replayed:  # else the letter of its first copy stands already
            self._park(record, event, outbox, now)
        return raw.received

    def _outputs(self, outbox: Outbox) -> Outputs:
        facts = outbox.to(topics.changelog(topics.MESSAGES_TABLE), self.partition)

        def kept(key: bytes | None, value: bytes | None, _: object = None) -> None:
            self.state.keep_alert(key or b"", value)
            facts(key, value)

        alerts = outbox.to(topics.ALERTS, self.partition)

        def alert(row: Alert) -> None:
            self.tally.alerts[row.rule, row.state] += 1
            alerts(row.alert_id.encode(), encode_alert(row))

        return Outputs(facts, kept, outbox.to(topics.TRANSITIONS, self.partition), alert)

    def _other(self, event: OtherEvent, record: Record, raw: Raw) -> None:
        self.tally.other += 1
        if event.event_type == MESSAGE_EVENT:
            told = channel_type_of(record.value or b"")
            if told is not None:
                self._abilities.learn_type(event.org_id, *told, raw.offset)

    def _status(self, event: StatusEvent, raw: Raw, out: Outputs) -> None:
        clocks = clocks_of(event, raw.received)
        time = clocks.time
        key = message_key(event.message_id)
        rank = rules.RANKS.get(event.new_status)
        if rank is None:
            fact = self.state.off_ladder(event.org_id, key).get(event.new_status, 0)
            outcome = rules.decide_off_ladder(fact, raw.offset)
        else:
            known = self.state.ladder(event.org_id, key)
            fact = rules.fact_of(known, rank)
            outcome = rules.decide(known, rank, time, raw.offset, event.old_status)
        if isinstance(outcome, Duplicate):
            self.tally.duplicate += 1
            self._count(event, Moment(time, raw.received, raw.offset), rank, outcome)
            return
        if raw.replayed and not fact and raw.received < self.watermark - self._retention.state:
            # The message was forgotten: what its neighbours were is no longer known, and the row stands already.
            self.tally.forgotten += 1
            return
        row = transition_row(event, raw, clocks, outcome, self.partition)
        out.transitions(event.message_id.encode(), row)
        out.facts(
            codec.fact_key(event.org_id, event.message_id, event.new_status),
            codec.encode_fact(time, raw.offset, raw.received, event.channel_id, event.session_id),
        )
        if not fact:
            packed = rules.pack(time, raw.offset, raw.received)
            place = (event.channel_id, event.session_id)
            self.state.set(event.org_id, key, event.new_status, packed, place)
        if rank is not None:
            self._abilities.learn_status(event.org_id, event.channel_id, rank, raw.offset)
            told = Told(event.org_id, key, event.channel_id, event.session_id, rank, time, raw.received, raw.offset)
            self.alerts.told(told, self.state.ladder(event.org_id, key), out.kept, out.alerts)
        self.tally.applied += 1
        self._count(event, Moment(time, raw.received, raw.offset), rank, outcome)

    def _count(self, event: StatusEvent, at: Moment, rank: int | None, outcome: Applied | Duplicate) -> None:
        channel = (event.org_id, event.channel_id)
        self.partials.count(channel, at, OFF_LADDER if rank is None else rank, outcome, self.watermark)

    def _park(self, record: Record, rejected: Rejected, outbox: Outbox, now: int) -> None:
        self.tally.parked += 1
        values = (
            "processor",
            rejected.reason,
            rejected.detail,
            topics.RAW,
            str(self.partition),
            str(record.offset),
            iso(now),
        )
        headers = [(name, value.encode()) for name, value in zip(topics.DEAD_HEADERS, values, strict=True)]
        outbox.to(topics.DEAD, self.partition)(record.key, record.value or b"", headers)

    def mark_all(self) -> None:
        """Publish every window again at the next checkpoint."""
        self.partials.mark_all()

    # --- alerts -----------------------------------------------------------------------------------------------------

    def tick(self, seen_until: int | None) -> bool:
        """Move the alerts' clock on, and tell whether a checkpoint would open or publish one.

        `seen_until`: everything in the log at that moment (epoch ms) is processed; None: there is more, so that the
        clock is that of the log itself.
        """
        clock = (self.watermark if seen_until is None else seen_until) - ON_THE_WAY_MS
        self.alerts.clock = max(self.alerts.clock, clock)
        return self.alerts.wanting

    # --- checkpoint -------------------------------------------------------------------------------------------------

    def checkpoint(self, outbox: Outbox) -> None:
        """Append every changed partial to its changelog and to the second step; forget what is old enough."""
        log = outbox.to(topics.changelog(topics.PARTIALS_TABLE), self.partition)
        self.partials.checkpoint(outbox, log, self._seen, self._covered)
        self._covered = self._seen
        self._adopt()
        for name, value in (*self._abilities.changes(), *self.alerts.adoptions().items()):
            log(name, value)
        out = self._outputs(outbox)
        self.alerts.checkpoint(out.kept, out.alerts)
        self._forget_messages(out)
        log(codec.WATERMARK_KEY, b"%d" % self.watermark)
        self.state.seal()

    def written(self) -> None:
        """Take the oldest outbox that was not told of yet for written: all of it is acknowledged."""
        self.state.written()

    def _adopt(self) -> None:
        """Let the alert rules know how far the log had come when this process took it over."""
        if not self._adopted:
            self._adopted = True
            self.alerts.adopt(self.watermark)

    def _forget_messages(self, out: Outputs) -> None:
        again = []
        for org_id, key in self.state.due(self.watermark - self._retention.state, FORGET_AT_ONCE):
            facts = facts_of(self.state, org_id, key)
            newest = max(facts.values(), key=rules.offset_of, default=0)
            if rules.offset_of(newest) >= self.committed:
                # A record of it would be read again after a crash, and decided as if the message were a new one.
                again.append((org_id, key, rules.received_of(newest)))
                continue
            for status in facts:
                self.state.drop(org_id, key, status)
                out.facts(codec.fact_key(org_id, str(key), status), None)
            self.alerts.forget(org_id, key, out.kept)
        for org_id, key, received in again:
            self.state.keep_until_due(org_id, key, received)


def _ladder_of(org_id: str, key: MessageKey, known: int, place: Place) -> Iterator[Told]:
    """Yield the highest ladder fact of a message on disk: a lower one has no deadline any more."""
    for rank in reversed(range(len(rules.RANKS))):
        fact = rules.fact_of(known, rank)
        if fact:
            time, received, offset = rules.time_of(fact), rules.received_of(fact), rules.offset_of(fact)
            yield Told(org_id, key, *place, rank, time, received, offset)
            return
