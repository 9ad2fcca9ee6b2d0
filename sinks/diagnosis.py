"""Why no events come, and why the data is incomplete: from facts to findings, each with what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.clock import iso
from sinks.advice import LOST, NOISE, STRANGERS, Advice
from sinks.facts import Channel, Facts, Group, Intake, Letters, Org, Stored, Unknown

Question = Literal["no_events", "incomplete"]
"""The two questions of the source's own FAQ."""
Severity = Literal["problem", "notice"]
"""A problem wants something done; a notice explains what looks like one."""

UNKNOWN = "UNKNOWN"
"""The type of a channel that no event has told."""

DAY_S = 86_400
SHORTEST_SILENCE_S = 3600
USUAL_SILENCES = 2
"""A channel is silent when it was not heard for so many times its longest usual silence."""
SPOOL_AGE_S = 60
"""Events that wait on disk for longer wait for somebody."""
ENOUGH = 20
"""Receipts of a channel after which a status that never came is missed."""
CONTRADICTED = 0.01
"""Share of receipts from which contradictions are no longer those of a webhook overtaken now and then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: which question it answers, of whom, how many, in words, and what to do."""

    question: Question
    severity: Severity
    code: str
    message: str
    fix: str
    org_id: str = ""
    channel_id: str = ""
    count: int = 0
    subject: str = ""
    """Of whom, in words; '' when it is about no channel."""


_NAMES = {"ingress": "the ingress", "kafka": "Kafka", "clickhouse": "ClickHouse"}


def diagnose(facts: Facts) -> list[Finding]:
    """Return all findings: problems before notices, otherwise from the source to the warehouse."""
    found = [*_parts(facts), *_groups(facts), *_letters(facts), *_orgs(facts), *_channels(facts)]
    return sorted(found, key=lambda finding: finding.severity != "problem")


def _parts(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.intake, Unknown):
        fix = "Start the ingress, or set INGEST_HOST and INGEST_PORT to where it listens"
        yield _unreachable("no_events", "ingress", facts, facts.intake, fix)
    else:
        yield from _intake(facts.intake)
    if isinstance(facts.groups, Unknown):
        fix = "Start Kafka, or set KAFKA_BOOTSTRAP_SERVERS; the ingress keeps events on disk until then"
        yield _unreachable("incomplete", "kafka", facts, facts.groups, fix)
    if isinstance(facts.stored, Unknown):
        fix = "Start ClickHouse, or set CLICKHOUSE_URL; Kafka keeps the events until then"
        yield _unreachable("incomplete", "clickhouse", facts, facts.stored, fix)


def _unreachable(question: Question, part: str, facts: Facts, unknown: Unknown, fix: str) -> Finding:
    place = facts.places.get(part, "")
    where = f" at {place}" if place else ""
    what = f"{_NAMES[part]}{where} cannot be asked: {unknown.error}"
    return Finding(question, "problem", f"{part}_unreachable", what, fix)


def _intake(intake: Intake) -> Iterator[Finding]:
    if not intake.ready:
        fix = "Bring Kafka back, or give the spool room (SPOOL_MAX_BYTES, SPOOL_DIR)"
        yield Finding("no_events", "problem", "not_ready", f"the ingress takes no events: {intake.reason}", fix)
    for outcome, count in sorted(intake.outcomes.items()):
        if outcome in STRANGERS:
            yield _refused("no_events", outcome, count, STRANGERS[outcome])
        elif outcome in LOST:
            yield _refused("incomplete", outcome, count, LOST[outcome])
    if intake.spool_fault:
        fix = "Free disk space, or correct SPOOL_DIR: with Kafka away, events would be refused"
        yield Finding("incomplete", "problem", "spool_fault", f"the spool takes nothing: {intake.spool_fault}", fix)
    if intake.spool_bytes:
        yield _spooled(intake)


def _refused(question: Question, outcome: str, count: int, advice: Advice) -> Finding:
    what, fix = advice
    message = f"{_number(count, 'request')} refused since the ingress started: {what}"
    return Finding(question, "notice" if outcome in NOISE else "problem", outcome, message, fix, count=count)


def _spooled(intake: Intake) -> Finding:
    waiting = f"{intake.spool_bytes:,} bytes wait on disk for Kafka, the oldest for {span(intake.spool_oldest_s)}"
    old = intake.spool_oldest_s > SPOOL_AGE_S
    fix = f"Kafka is {intake.kafka}: bring it back" if intake.kafka != "available" else "Wait: it is being sent"
    return Finding("incomplete", "problem" if old else "notice", "spooled", waiting, fix)


def _groups(facts: Facts) -> Iterator[Finding]:
    if not isinstance(facts.groups, Unknown):
        yield from (_lagging(group) for group in facts.groups if group.lag)


def _lagging(group: Group) -> Finding:
    behind = f"the {group.name} is {_number(group.lag, 'record')} behind"
    if group.moving:
        return Finding("incomplete", "notice", f"{group.name}_lags", f"{behind} and catching up", "Wait, or start more")
    fix = f"Start `receipts {group.name}`, or look into its log"
    return Finding("incomplete", "problem", f"{group.name}_stands_still", f"{behind} and stands still", fix)


def _letters(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.stored, Stored):
        yield from map(_dead, facts.stored.letters)


def _dead(letters: Letters) -> Finding:
    stage, reason = letters.stage, letters.reason
    what = f"{_number(letters.count, 'dead letter')} open: {stage}, {reason}, the last at {iso(letters.newest_ms)}"
    fix = f"See receipts dead list --stage {stage} --reason {reason}; then redrive or discard"
    return Finding("incomplete", "problem", "dead_letters", what, fix, count=letters.count)


def _orgs(facts: Facts) -> Iterator[Finding]:
    orgs = facts.stored.orgs if isinstance(facts.stored, Stored) else ()
    heard = isinstance(facts.intake, Intake) and bool(facts.intake.last_event_ms)
    if isinstance(facts.stored, Stored) and not orgs and not heard:
        what = f"no event came in the last {facts.days} d" if facts.stored.channels else "no event is known"
        yield _nothing(facts.intake, what)
    for org in orgs:
        if org.status_events and not org.message_events:
            yield _no_messages(org)


def _nothing(intake: Intake | Unknown, what: str) -> Finding:
    return Finding(
        "no_events",
        "problem",
        "nothing_heard",
        f"{what}: {_calls(intake)}",
        "In Zoho Desk, see that the webhook is active, names this URL with its secret, and has IM_Message_Status among"
        " its events; that the URL can be reached from the internet; then send a message on an IM channel",
    )


def _calls(intake: Intake | Unknown) -> str:
    """Say who called the URL, where no call brought an event."""
    if isinstance(intake, Unknown):
        return "whether anybody has called the URL, the ingress does not say"
    came = {outcome: count for outcome, count in sorted(intake.outcomes.items()) if count}
    if not came:
        return "nobody has called the URL since the ingress started"
    if came.keys() == {"setup_check"}:
        return "Zoho (or a browser) has checked the URL since, but sent no event"
    outcomes = ", ".join(f"{outcome} {count:,}" for outcome, count in came.items())
    return f"{_number(sum(came.values()), 'request')} came since the ingress started, and brought none ({outcomes})"


def _no_messages(org: Org) -> Finding:
    return Finding(
        "incomplete",
        "notice",
        "no_message_events",
        f"org {org.org_id} sends no IM_Message_Add: type of channels and direction of messages stay unknown",
        "Subscribe the webhook to IM_Message_Add as well",
        org.org_id,
    )


def _channels(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.stored, Stored):
        for channel in facts.stored.channels:
            yield from _silence(channel, facts.now_ms)
            yield from _coverage(channel)
            yield from _quality(channel)


def _silence(channel: Channel, now_ms: int) -> Iterator[Finding]:
    silent_s = (now_ms - channel.last_heard_ms) // 1000
    usual_s = (
        max(channel.longest_silence_s * USUAL_SILENCES, SHORTEST_SILENCE_S) if channel.longest_silence_s else DAY_S
    )
    if silent_s > usual_s:
        what = f"not heard for {span(silent_s)}, the last time at {iso(channel.last_heard_ms)}"
        fix = (
            "If messages were sent since: see in Zoho Desk that webhook and channel are active, and here that the"
            " ingress can be reached and refuses nobody"
        )
        yield _of(channel, "no_events", "problem", code="silent", what=what, fix=fix)


def _coverage(channel: Channel) -> Iterator[Finding]:
    told = {"DELIVERED": channel.can_report_delivered, "READ": channel.can_report_read}
    for status, able in told.items():
        if status in channel.statuses or channel.receipts < ENOUGH:
            continue
        code, what = f"never_{status.lower()}", f"{status} was never told"
        if able:
            fix = "See in the channel's own settings that receipts are on; readers may have turned theirs off"
            yield _of(channel, "no_events", "problem", code=code, what=what, fix=fix)
        elif channel.type != UNKNOWN:
            what += f": {channel.type} is not known to report it"
            yield _of(channel, "no_events", "notice", code=code, what=what, fix="Nothing is missing")


def _quality(channel: Channel) -> Iterator[Finding]:
    if channel.gaps:
        what = f"{_number(channel.gaps, 'status', 'statuses')} passed through and never told: the webhooks were lost"
        fix = (
            "Compare with the refusals and outages of the ingress; the messages are marked (implied, delivered_implied)"
        )
        yield _of(channel, "incomplete", "problem", code="gaps", what=what, fix=fix, count=channel.gaps)
    if channel.contradictions:
        often = channel.contradictions > CONTRADICTED * channel.receipts
        what = f"{_number(channel.contradictions, 'receipt')} of {channel.receipts:,} at odds with what was known"
        fix = "Webhooks were lost or overtook each other: look at one with `receipts message ID`"
        severity: Severity = "problem" if often else "notice"
        count = channel.contradictions
        yield _of(channel, "incomplete", severity, code="contradictions", what=what, fix=fix, count=count)
    if channel.late:
        what = f"{_number(channel.late, 'receipt')} too old or too new when received for any minute's counts"
        fix = "They count in channel_rates all the same"
        yield _of(channel, "incomplete", "notice", code="late", what=what, fix=fix, count=channel.late)
    if channel.other_clock:
        what = f"{_number(channel.other_clock, 'receipt')} without a readable updatedTime: another clock stands in"
        fix = "See time_source in transitions"
        yield _of(channel, "incomplete", "notice", code="other_clock", what=what, fix=fix, count=channel.other_clock)


def _of(
    channel: Channel, question: Question, severity: Severity, *, code: str, what: str, fix: str, count: int = 0
) -> Finding:
    subject = f"channel {channel.channel_id or '(none named)'} ({channel.type}) of org {channel.org_id}"
    return Finding(question, severity, code, what, fix, channel.org_id, channel.channel_id, count, subject)


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def span(seconds: int) -> str:
    """Say a length of time in its two largest units."""
    units = (("d", DAY_S), ("h", 3600), ("m", 60), ("s", 1))
    parts = []
    for name, size in units:
        if seconds >= size:
            parts.append(f"{seconds // size}{name}")
            seconds %= size
    return " ".join(parts[:2]) or "0s"
