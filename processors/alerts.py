"""Alerts on messages that stay in a status: opened when due, resolved by the next status, each exactly once.

What becomes of a rule on the status that a record `s` told follows from the message's facts:

- nothing, where a higher ladder status was told by a lower offset than `s`;
- `expired`, where `s` was received more than an hour after it was due: told at once, and never again;
- otherwise it opens at the later of due and received. The first record `n` of a higher status after `s` prevents that
  when it was received before, and resolves the alert when not.

A rule applies where the channel can report the next status, as far as was known when `s` was told.

One thing the facts do not say: an alert that opened in time although `n` had been received before, on its way through a
spool. So what was opened is kept beside the facts, in three steps, each in an outbox of its own: the changelog has it;
then it is published; then the changelog has that it was. A crash may publish an alert twice, but never forgets that it
did, and a replay publishes nothing again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from processors import changelog, codec, rules
from processors.abilities import Abilities
from processors.changelog import Kept
from processors.deadlines import Deadlines, Tag
from processors.expiry import MessageKey
from processors.outputs import Publish
from processors.places import Place, Plans
from processors.ports import Append
from processors.state import message_key
from processors.windows import Moment
from schemas import keys
from schemas.alert_rules import MessageRule, alert_id
from schemas.events import LADDER
from schemas.records import Alert
from schemas.times import to_iso

EXPIRED_AFTER_MS: Final = 3_600_000
_KIND: Final = "alert"
_ADOPTION: Final = b"rule%:"
"""No id that `keys.join` writes contains a bare percent sign."""
_encode: Final = msgspec.json.Encoder().encode


class Stage(IntEnum):
    """How far an alert is: while it is opening or resolving, readers may not have heard of it yet."""

    OPENING = 1
    OPEN = 2
    RESOLVING = 3
    RESOLVED = 4


class Told(NamedTuple):
    """A ladder status as a record told it first."""

    org_id: str
    key: MessageKey
    channel_id: str
    session_id: str
    rank: int
    time: int
    """Epoch ms, as `received`."""
    received: int
    offset: int


class Rule(NamedTuple):
    """A message rule with its number and rank."""

    number: int
    rank: int
    after: int
    """Milliseconds."""
    rule: MessageRule


encode_alert: Final = _encode
"""Returns the value of im.alerts."""
Ladder = Callable[[str, MessageKey], int]


def number(given: Iterable[MessageRule]) -> tuple[Rule, ...]:
    """Give each rule its number and rank."""
    return tuple(Rule(at, rules.RANKS[rule.status], rule.after_ms, rule) for at, rule in enumerate(given))


def opens_at(rule: Rule, fact: int) -> int:
    """Return when a rule's alert on a fact opens, unless a higher status prevents it; epoch ms."""
    return max(rules.time_of(fact) + rule.after, rules.received_of(fact))


def is_expired(rule: Rule, fact: int) -> bool:
    """Tell whether a fact was received too late for an alert."""
    return rules.received_of(fact) > rules.time_of(fact) + rule.after + EXPIRED_AFTER_MS


def first_above(known: int, rank: int) -> int:
    """Return the lowest offset that told a higher ladder status than `rank`; -1 where none did."""
    lowest = -1
    higher = known >> (rank + 1) * rules.FACT_BITS
    while higher:
        offset = rules.offset_of(higher)
        if offset >= 0 and (lowest < 0 or offset < lowest):
            lowest = offset
        higher >>= rules.FACT_BITS
    return lowest


class Alerts:
    """The alerts and pending deadlines of one raw partition. `ladder` returns what is known of a message."""

    def __init__(self, given: tuple[MessageRule, ...], abilities: Abilities, ladder: Ladder) -> None:
        self._rules = number(given)
        self._of_rank = [[rule for rule in self._rules if rule.rank == rank] for rank in range(len(LADDER))]
        self._soonest = [min((rule.after for rule in each), default=0) for each in self._of_rank]
        """Of each rank the least time after which a rule's alert is due, ms."""
        self._below = [[rule for rule in self._rules if rule.rank < rank] for rank in range(len(LADDER))]
        self._abilities = abilities
        self._ladder = ladder
        self._deadlines = Deadlines(self._exact)
        self._plans: dict[str, Plans] = {}
        """By org."""
        self._kept: dict[tuple[str, str], dict[MessageKey, int]] = {}
        """Stages by org and rule name, and by message."""
        self._unpublished: dict[bytes, tuple[Alert, ...]] = {}
        """What the changelog has and readers have not, by changelog key."""
        self._published: dict[bytes, Stage] = {}
        """What readers have and the changelog does not say yet, by changelog key."""
        self._adopted: dict[int, int] = {}
        """By rule number: the watermark (epoch ms) at which it was first seen; 0 when it was there from the start."""
        self._adoptions: dict[bytes, bytes] = {}
        self.clock = 0
        """Epoch ms up to which everything received has been processed, as far as is known."""

    @property
    def pending(self) -> int:
        """Deadlines that may still come due."""
        return len(self._deadlines)

    @property
    def kept(self) -> int:
        """Alerts remembered, open or resolved."""
        return sum(map(len, self._kept.values()))

    @property
    def wanting(self) -> bool:
        """Whether a checkpoint would publish or open something."""
        return bool(self._unpublished or self._published) or self._deadlines.is_due(self.clock)

    # --- processing -------------------------------------------------------------------------------------------------

    def told(self, told: Told, known: int, log: Append, publish: Publish) -> None:
        """Take a ladder status told first (or by that very record again); `known` holds its fact already."""
        rank = told.rank
        if self._of_rank[rank]:
            above = first_above(known, rank) if known >> (rank + 1) * rules.FACT_BITS else -1
            if above < 0 or above > told.offset:
                self._plan(told, above, publish)
        if self._below[rank] and known & (1 << rank * rules.FACT_BITS) - 1:
            self._resolve(told, known, log)

    def told_usual(
        self, place: Place, message: tuple[MessageKey, int | str | None], rank: int, at: Moment, known: int
    ) -> bool:
        """Do what `told` does where that is no more than to plan deadlines; False, and nothing is done, elsewhere.

        `message` is its key and its session id as the source wrote it; `known` holds the fact already.
        """
        if known & (1 << rank * rules.FACT_BITS) - 1 and not self._quiet_below(
            place, message[0], rank, at.received, known
        ):
            return False
        if not self._of_rank[rank]:
            return True
        time, received = at.time, at.received
        if known >> (rank + 1) * rules.FACT_BITS or received > time + self._soonest[rank] + EXPIRED_AFTER_MS:
            return False
        self.plan_again(place, message, rank, time, received)
        return True

    def _quiet_below(self, place: Place, key: MessageKey, rank: int, received: int, known: int) -> bool:
        """Tell whether no alert on a lower status is open, or about to be."""
        for rule in self._below[rank]:
            fact = known >> rule.rank * rules.FACT_BITS & rules.FACT_MASK
            if fact:
                kept = self._kept.get((place.org_id, rule.rule.name))
                if received >= (fact >> rules.TIME_SHIFT) + rule.after or (kept and key in kept):
                    return False
        return True

    def _plan(self, told: Told, above: int, publish: Publish) -> None:
        time, received = told.time, told.received
        for rule in self._of_rank[told.rank]:
            due = time + rule.after
            if received > due + EXPIRED_AFTER_MS:
                fact = rules.pack(time, told.offset, received)
                if self._applies(rule, told, fact):
                    publish(self._row(rule, told, fact, "expired"))
            elif above < 0 and _concerns(rule.rule.orgs, told.org_id):
                self._add(rule, told, due)

    def _resolve(self, told: Told, known: int, log: Append) -> None:
        for rule in self._below[told.rank]:
            fact = rules.fact_of(known, rule.rank)
            if not fact:
                continue
            stage = self._stage(rule, told.org_id, told.key)
            # Most receipts come in time: that is asked first.
            if (not stage and told.received < opens_at(rule, fact)) or is_expired(rule, fact):
                continue
            if rules.offset_of(fact) > told.offset or first_above(known, rule.rank) != told.offset:
                continue
            if stage == Stage.RESOLVED or (not stage and self._is_older(rule, fact)):
                continue
            if not self._applies(rule, told, fact):
                continue
            resolved = self._row(rule, told, fact, "resolved", resolved=told.time)
            # An opening that readers have not seen is told first.
            opened = () if stage == Stage.OPEN else (self._row(rule, told, fact, "open"),)
            self._keep(rule, told, Stage.RESOLVING, (*opened, resolved), log)

    # --- checkpoint -------------------------------------------------------------------------------------------------

    def checkpoint(self, log: Append, publish: Publish) -> None:
        """Go one step on with everything under way, then open what is due."""
        published, self._published = self._published, {}
        for name, stage in published.items():
            log(name, _encode(Kept(codec.VERSION, stage)))
        unpublished, self._unpublished = self._unpublished, {}
        for name, rows in unpublished.items():
            for row in rows:
                publish(row)
            self._published[name] = stage = Stage.OPEN if rows[-1].state == "open" else Stage.RESOLVED
            org_id, message_id, _, rule_name = keys.split(name)
            self._kept[org_id, rule_name][message_key(message_id)] = stage
        for (at, org_id, channel_id), key, session_id in self._deadlines.due(self.clock):
            self._open(self._rules[at], (org_id, key, channel_id, session_id), log)

    def _open(self, rule: Rule, subject: tuple[str, MessageKey, str, str], log: Append) -> None:
        org_id, key, _, _ = subject
        known = self._ladder(org_id, key)
        fact = rules.fact_of(known, rule.rank)
        # A higher status has decided already; a message forgotten is none of ours.
        if not fact or first_above(known, rule.rank) >= 0 or self._stage(rule, org_id, key):
            return
        if self._is_older(rule, fact):
            return
        told = Told(*subject, rule.rank, rules.time_of(fact), rules.received_of(fact), rules.offset_of(fact))
        if self._applies(rule, told, fact):
            self._keep(rule, told, Stage.OPENING, (self._row(rule, told, fact, "open"),), log)

    def forget(self, org_id: str, key: MessageKey, log: Append) -> None:
        """Drop what is kept of a message."""
        for (org, name), kept in self._kept.items():
            if org == org_id and kept.pop(key, None) is not None:
                log(keys.join(org_id, str(key), _KIND, name), None)

    # --- recovery ---------------------------------------------------------------------------------------------------

    def restore(self, name: bytes, value: bytes | None) -> bool:
        """Apply a record of the messages changelog; False when it is not one of an alert."""
        if name.count(b":") != 3:  # noqa: PLR2004 -- as `_keep` makes them; a fact's key has two
            return False
        parts = keys.split(name)
        if parts[2] != _KIND:
            return False
        org_id, message_id, _, rule_name = parts
        kept = self._kept.setdefault((org_id, rule_name), {})
        self._unpublished.pop(name, None)
        if value is None:
            kept.pop(message_key(message_id), None)
            return True
        try:
            record = changelog.decode_kept(value)
        except msgspec.DecodeError as error:
            raise codec.unknown("messages", name) from error
        if record.version != codec.VERSION:
            raise codec.unknown("messages", name)
        kept[message_key(message_id)] = record.stage
        if record.rows:
            self._unpublished[name] = record.rows
        return True

    def restore_fact(self, told: Told) -> None:
        """Plan the deadlines of a fact; whether they still hold is asked when they come due."""
        for rule in self._of_rank[told.rank]:
            due = told.time + rule.after
            if told.received <= due + EXPIRED_AFTER_MS and _concerns(rule.rule.orgs, told.org_id):
                self._add(rule, told, due)

    def plan_again(
        self, place: Place, message: tuple[MessageKey, int | str | None], rank: int, time: int, received: int
    ) -> None:
        """Plan the deadlines of a fact; whether they still hold is asked when they come due. As `restore_fact`."""
        key, session = message
        plans = place.plans
        if plans is None:
            plans = place.plans = self._plans_of(place.org_id)
            place.number = self._deadlines.channel_of(place.org_id, place.channel_id)
        for after, rule in plans[rank]:
            due = time + after
            if received <= due + EXPIRED_AFTER_MS:
                self._deadlines.add(due if due > received else received, rule, place.number, key, session)  # noqa: FURB136 -- a call less

    def _plans_of(self, org_id: str) -> Plans:
        plans = self._plans.get(org_id)
        if plans is None:
            plans = self._plans[org_id] = [
                [(rule.after, rule.number) for rule in each if _concerns(rule.rule.orgs, org_id)]
                for each in self._of_rank
            ]
        return plans

    def _add(self, rule: Rule, told: Told, due: int) -> None:
        channel = self._deadlines.channel_of(told.org_id, told.channel_id)
        self._deadlines.add(max(due, told.received), rule.number, channel, told.key, told.session_id)

    # --- rules that are new -----------------------------------------------------------------------------------------

    def adopt(self, watermark: int) -> None:
        """Note since when each rule is known: `watermark` is what was restored, 0 where there was no state."""
        for rule in self._rules:
            if rule.number not in self._adopted:
                self._adopted[rule.number] = watermark
                self._adoptions[_adoption_key(rule)] = b"%d,%d" % (codec.VERSION, watermark)

    def adoptions(self) -> dict[bytes, bytes]:
        """Return the records of the partials changelog that say so, each once."""
        fresh, self._adoptions = self._adoptions, {}
        return fresh

    def restore_adoption(self, key: bytes, value: bytes) -> bool:
        """Apply a record of the partials changelog; False when it is none of these."""
        if not key.startswith(_ADOPTION):
            return False
        for rule in self._rules:
            if key == _adoption_key(rule):
                self._adopted[rule.number] = int(value.split(b",")[1])
        return True

    def _is_older(self, rule: Rule, fact: int) -> bool:
        """Tell whether an alert would have opened long before its rule was there: a new rule raises no storm."""
        return opens_at(rule, fact) < self._adopted.get(rule.number, 0) - EXPIRED_AFTER_MS

    # --- details ----------------------------------------------------------------------------------------------------

    def _exact(self, tag: Tag, key: MessageKey) -> int | None:
        number, org_id, _ = tag
        rule = self._rules[number]
        known = self._ladder(org_id, key)
        fact = rules.fact_of(known, rule.rank)
        return None if not fact or first_above(known, rule.rank) >= 0 else opens_at(rule, fact)

    def _applies(self, rule: Rule, told: Told, fact: int) -> bool:
        """Tell whether a rule is for this channel, by what was known of it when the fact was told."""
        org_id, channel_id, wanted = told.org_id, told.channel_id, rule.rule.channels
        if not _concerns(rule.rule.orgs, org_id):
            return False
        at = rules.offset_of(fact)
        if wanted and channel_id not in wanted and self._abilities.type_of(org_id, channel_id, at) not in wanted:
            return False
        return self._abilities.can_report(org_id, channel_id, rule.rank + 1, at)

    def _stage(self, rule: Rule, org_id: str, key: MessageKey) -> int:
        return self._kept.get((org_id, rule.rule.name), {}).get(key, 0)

    def _keep(self, rule: Rule, told: Told, stage: Stage, rows: tuple[Alert, ...], log: Append) -> None:
        name = keys.join(told.org_id, str(told.key), _KIND, rule.rule.name)
        log(name, _encode(Kept(codec.VERSION, stage, rows)))
        self._kept.setdefault((told.org_id, rule.rule.name), {})[told.key] = stage
        self._unpublished[name] = rows
        self._published.pop(name, None)

    def _row(self, rule: Rule, told: Told, fact: int, state: str, resolved: int | None = None) -> Alert:
        message_id = str(told.key)
        return Alert(
            alert_id=alert_id(rule.rule.name, told.org_id, message_id),
            rule=rule.rule.name,
            state=state,  # type: ignore[arg-type]  # one of the three that callers name
            followup=rule.rule.followup,
            org_id=told.org_id,
            channel_id=told.channel_id,
            session_id=told.session_id,
            message_id=message_id,
            due_time=to_iso(rules.time_of(fact) + rule.after),
            opened_time=None if state == "expired" else to_iso(opens_at(rule, fact)),
            resolved_time=None if resolved is None else to_iso(resolved),
        )


def _adoption_key(rule: Rule) -> bytes:
    return _ADOPTION + keys.join(rule.rule.name, rule.rule.status, str(rule.after))


def _concerns(wanted: frozenset[str], given: str) -> bool:
    return not wanted or given in wanted
