"""`receipts doctor`: why no events come, why the data is incomplete."""

from __future__ import annotations

import asyncio
import logging
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli._settings import load, state_dir_option

if TYPE_CHECKING:
    from rich.console import Console

    from sinks.diagnosis import Finding
    from sinks.facts import Channel, Facts

SHOWN = 5
"""Most findings of one kind that are printed for a person."""

QUESTIONS = {"no_events": "Why are no events coming?", "incomplete": "Why is the data incomplete?"}


@click.command(short_help="Say why no events come, or why data is missing.")
@click.option("--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How far counts look back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@state_dir_option
def command(*, days: int, as_json: bool, state_dir: Path | None) -> None:
    """Ask the ingress, Kafka and ClickHouse why no events come and why the data is incomplete, and what to do.

    Exits 1 when something wants to be done.
    """
    import orjson
    from rich.console import Console

    from sinks.diagnosis import diagnose
    from sinks.doctor import examine

    # What a part says by not answering stands in the findings.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    facts = asyncio.run(examine(load(state_dir), days))
    findings = diagnose(facts)
    if as_json:
        click.echo(orjson.dumps(as_object(facts, findings), option=orjson.OPT_INDENT_2).decode())
    else:
        render(facts, findings, Console())
    sys.exit(1 if any(finding.severity == "problem" for finding in findings) else 0)


def as_object(facts: Facts, findings: list[Finding]) -> dict[str, object]:
    """Return what is printed as JSON; times are ISO 8601, a part that did not answer has an `error`."""
    from dataclasses import asdict

    from core.clock import iso
    from sinks.facts import Unknown

    parts = {"ingress": facts.intake, "kafka": facts.groups, "clickhouse": facts.stored}
    intake = None if isinstance(facts.intake, Unknown) else facts.intake
    stored = None if isinstance(facts.stored, Unknown) else facts.stored
    return {
        "ok": not any(finding.severity == "problem" for finding in findings),
        "checked_at": iso(facts.now_ms),
        "days": facts.days,
        "parts": {
            name: {"place": facts.places.get(name, ""), "error": part.error if isinstance(part, Unknown) else None}
            for name, part in parts.items()
        },
        "findings": [asdict(finding) for finding in findings],
        "ingress": None if intake is None else _told(asdict(intake)),
        "groups": None if isinstance(facts.groups, Unknown) else [asdict(group) for group in facts.groups],
        "orgs": None if stored is None else [_told(asdict(org)) for org in stored.orgs],
        "channels": None if stored is None else [_told(asdict(channel)) for channel in stored.channels],
        "dead_letters": None if stored is None else [_told(asdict(letters)) for letters in stored.letters],
    }


def _told(fields: dict[str, object]) -> dict[str, object]:
    """Return fields with times (`…_ms`) as text."""
    from core.clock import iso

    told: dict[str, object] = {}
    for name, value in fields.items():
        if not name.endswith("_ms"):
            told[name] = value
        elif isinstance(value, dict):
            told[name.removesuffix("_ms")] = {key: iso(moment) for key, moment in value.items()}
        elif isinstance(value, int):
            told[name.removesuffix("_ms")] = iso(value)
    return told


def render(facts: Facts, findings: list[Finding], console: Console) -> None:
    """Print both questions with their answers, then what each channel tells."""
    from sinks.facts import Unknown

    for question, text in QUESTIONS.items():
        mine = [finding for finding in findings if finding.question == question]
        console.print(f"[bold]{text}[/]" if mine else f"[bold]{text}[/] Nothing is wrong here.")
        for (severity, code), alike in groupby(sorted(mine, key=_kind), key=_kind):
            _answer(severity, code, list(alike), console)
        console.print()
    if not isinstance(facts.stored, Unknown):
        for channel in facts.stored.channels:
            _channel(channel, facts, console)


def _kind(finding: Finding) -> tuple[str, str]:
    # Problems first.
    return {"problem": " problem", "notice": "notice"}[finding.severity], finding.code


def _answer(severity: str, code: str, alike: list[Finding], console: Console) -> None:
    """Print findings of one code, and what to do about them once."""
    from rich.markup import escape
    from rich.padding import Padding

    colour = "red" if severity == " problem" else "dim"
    console.print(f"  [{colour}]{severity.strip()}[/] {escape(code)}")
    for finding in alike[:SHOWN]:
        subject = f"{finding.subject}: " if finding.subject else ""
        console.print(Padding(escape(f"{subject}{finding.message}"), (0, 0, 0, 4)))
    if len(alike) > SHOWN:
        console.print(f"    and {len(alike) - SHOWN} more: --json lists all")
    for fix in dict.fromkeys(finding.fix for finding in alike):
        console.print(Padding(escape(f"-> {fix}."), (0, 0, 0, 4)))


def _channel(channel: Channel, facts: Facts, console: Console) -> None:
    from sinks.diagnosis import span

    silence = span((facts.now_ms - channel.last_heard_ms) // 1000)
    console.print(
        f"channel {channel.channel_id or '-'}  {channel.type}  org {channel.org_id}  heard {silence} ago",
        highlight=False,
    )
    console.print(
        f"    ever told: {' '.join(channel.statuses) or 'nothing'}\n"
        f"    {facts.days} days: {channel.receipts:,} receipts, {channel.gaps:,} gaps, "
        f"{channel.contradictions:,} contradictions, {channel.late:,} late",
        highlight=False,
    )
