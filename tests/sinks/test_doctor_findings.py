"""What is concluded from the facts: each finding, and that a sound pipeline has none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingest import answers
from ingest.answers import Refusal
from sinks.advice import LOST, NOISE, STRANGERS
from sinks.diagnosis import Finding, diagnose, span
from sinks.facts import Channel, Facts, Group, Intake, Letters, Org, Stored, Unknown

NOW = 1_760_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR

INTAKE = Intake(
    ready=True,
    reason="",
    kafka="available",
    spool_bytes=0,
    spool_oldest_s=0,
    spool_fault="",
    outcomes={"accepted": 100, "setup_check": 2, "not_found": 3},
    last_event_ms={"1": NOW},
)
CHANNEL = Channel(
    org_id="1",
    channel_id="7",
    type="WHATSAPP",
    first_heard_ms=NOW - 30 * DAY,
    last_heard_ms=NOW - 60_000,
    statuses=("DELIVERED", "READ", "SENT"),
    can_report_delivered=True,
    can_report_read=True,
    receipts=1000,
)
STORED = Stored((Org("1", 1000, 500, NOW),), (CHANNEL,), ())
SOUND = Facts(NOW, 7, INTAKE, (Group("processor", 0, moving=True), Group("sink", 0, moving=True)), STORED)


def found(facts: Facts) -> list[Finding]:
    """Return the findings; each must say what to do."""
    findings = diagnose(facts)
    assert all(finding.message and finding.fix for finding in findings)
    return findings


def codes(facts: Facts) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in found(facts)]


def of_intake(**changes: Any) -> Facts:
    return replace(SOUND, intake=replace(INTAKE, **changes))


def of_channel(**changes: Any) -> Facts:
    return replace(SOUND, stored=replace(STORED, channels=(replace(CHANNEL, **changes),)))


def test_a_sound_pipeline_has_no_findings() -> None:
    assert found(SOUND) == []


@pytest.mark.parametrize("part", ["intake", "groups", "stored"])
def test_a_part_that_does_not_answer_is_named_and_the_others_still_tell(part: str) -> None:
    silent: dict[str, Any] = {part: Unknown("nobody home")}
    facts = replace(SOUND, **silent, places={"kafka": "k:1", "clickhouse": "c", "ingress": "i"})
    (finding,) = found(facts)
    assert finding.severity == "problem"
    assert finding.code.endswith("_unreachable")
    assert "nobody home" in finding.message
    letters = replace(STORED, letters=(Letters("ingress", "not_json", 2, NOW),))
    if part != "stored":
        assert len(found(replace(facts, stored=letters))) == 2


def test_every_refusal_of_the_ingress_is_explained() -> None:
    given = {refusal.outcome or refusal.code for refusal in vars(answers).values() if isinstance(refusal, Refusal)}
    explained = STRANGERS.keys() | LOST.keys()
    assert given - explained == {"not_found"}, "a stranger's path says nothing of the webhook"
    assert explained >= NOISE
    for outcome in explained:
        (finding,) = found(of_intake(outcomes={outcome: 3}))
        assert (finding.code, finding.count) == (outcome, 3)
        assert finding.severity == ("notice" if outcome in NOISE else "problem")
        assert finding.question == ("no_events" if outcome in STRANGERS else "incomplete")


def test_what_the_ingress_cannot_do_is_a_problem() -> None:
    assert codes(of_intake(ready=False, reason="x")) == [("problem", "not_ready")]
    assert codes(of_intake(spool_fault="full")) == [("problem", "spool_fault")]


def test_a_spool_is_a_problem_when_it_has_been_waiting() -> None:
    assert codes(of_intake(spool_bytes=9, spool_oldest_s=5)) == [("notice", "spooled")]
    assert codes(of_intake(spool_bytes=9, spool_oldest_s=500, kafka="away")) == [("problem", "spooled")]


def test_a_group_that_is_behind_may_be_catching_up_or_stand_still() -> None:
    for group, expected in (
        (Group("sink", 5, moving=True), ("notice", "sink_lags")),
        (Group("processor", 5, moving=False), ("problem", "processor_stands_still")),
    ):
        assert codes(replace(SOUND, groups=(group,))) == [expected]


def test_dead_letters_are_named_by_stage_and_reason() -> None:
    letters = (Letters("ingress", "not_json", 1, NOW), Letters("processor", "bad", 2, NOW))
    first, second = found(replace(SOUND, stored=replace(STORED, letters=letters)))
    assert "1 dead letter open" in first.message
    assert "--stage ingress --reason not_json" in first.fix
    assert "2 dead letters open" in second.message


def test_nothing_was_ever_heard() -> None:
    silent = of_intake(outcomes={"setup_check": 1}, last_event_ms={})
    (finding,) = found(replace(silent, stored=Stored()))
    assert (finding.question, finding.code) == ("no_events", "nothing_heard")
    assert "checked the URL" in finding.message
    assert codes(replace(SOUND, stored=Stored())) == [], "it was heard, and is on its way"
    assert codes(replace(SOUND, stored=Stored(), intake=Unknown("x"))) == [
        ("problem", "ingress_unreachable"),
        ("problem", "nothing_heard"),
    ]


def test_what_is_said_of_nothing_heard_is_what_is_known() -> None:
    def said(stored: Stored, intake: Intake | Unknown) -> str:
        facts = replace(SOUND, stored=stored, intake=intake)
        return next(finding.message for finding in found(facts) if finding.code == "nothing_heard")

    empty = replace(INTAKE, outcomes={}, last_event_ms={})
    once = replace(STORED, orgs=())
    assert said(Stored(), empty) == "no event is known: nobody has called the URL since the ingress started"
    assert said(once, empty).startswith("no event came in the last 7 d: nobody has called")
    refused = said(Stored(), replace(empty, outcomes={"wrong_secret": 2, "setup_check": 1}))
    assert refused.startswith("no event is known: 3 requests came")
    assert refused.endswith("(setup_check 1, wrong_secret 2)")
    unknown = said(once, Unknown("x"))
    assert "no event is known" not in unknown
    assert "nobody" not in unknown
    assert "the ingress does not say" in unknown


def test_without_message_events_channels_have_no_type() -> None:
    facts = replace(SOUND, stored=replace(STORED, orgs=(Org("1", 10, 0, NOW),)))
    assert codes(facts) == [("notice", "no_message_events")]


@pytest.mark.parametrize(
    ("usual_s", "silent_ms", "silent"),
    [
        (0, 23 * HOUR, False),
        (0, 25 * HOUR, True),
        (60, 50 * 60_000, False),
        (60, 2 * HOUR, True),
        (36_000, 19 * HOUR, False),
    ],
)
def test_a_channel_is_silent_by_its_own_measure(usual_s: int, silent_ms: int, *, silent: bool) -> None:
    facts = of_channel(longest_silence_s=usual_s, last_heard_ms=NOW - silent_ms)
    assert codes(facts) == ([("problem", "silent")] if silent else [])


def test_a_status_that_never_came_is_missed_only_where_it_can_be_reported() -> None:
    assert codes(of_channel(statuses=("READ", "SENT"))) == [("problem", "never_delivered")]
    instagram = of_channel(type="INSTAGRAM", can_report_delivered=False, statuses=("READ", "SENT"))
    assert codes(instagram) == [("notice", "never_delivered")]
    unknown = of_channel(type="UNKNOWN", can_report_delivered=False, can_report_read=False, statuses=("SENT",))
    assert codes(unknown) == []
    assert codes(of_channel(statuses=("SENT",), receipts=3)) == [], "too few to tell"


def test_gaps_and_contradictions_are_problems_and_odd_clocks_are_not() -> None:
    assert codes(of_channel(gaps=1)) == [("problem", "gaps")]
    assert codes(of_channel(contradictions=10)) == [("notice", "contradictions")]
    assert codes(of_channel(contradictions=11)) == [("problem", "contradictions")]
    assert codes(of_channel(late=1, other_clock=1)) == [("notice", "late"), ("notice", "other_clock")]


def test_problems_come_first() -> None:
    assert codes(of_channel(late=1, gaps=1)) == [("problem", "gaps"), ("notice", "late")]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (3601, "1h 1s"), (90_061, "1d 1h"), (86_400, "1d")]
)
def test_spans_are_said_in_two_units(seconds: int, text: str) -> None:
    assert span(seconds) == text
