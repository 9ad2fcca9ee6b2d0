"""`receipts simulate`: webhook traffic as the source would send it."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from pathlib import Path

import click

from cli import _settings


@click.command()
@click.option("--messages", type=click.IntRange(min=1), default=10_000, show_default=True, help="Outgoing messages.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.  [default: no limit]")
@click.option("--live", is_flag=True, help="Send each webhook at its own time, from now on for the length of --span.")
@click.option("--channels", type=click.IntRange(min=1), default=4, show_default=True, help="Channels of each org.")
@click.option("--duplicates", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share told twice.")
@click.option("--reorder", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share overtaken.")
@click.option("--missing", type=click.FloatRange(0, 1), default=0.03, show_default=True, help="Share never told.")
@click.option("--broken", type=click.IntRange(min=0), default=0, show_default=True, help="Elements that are no event.")
@click.option("--orgs", type=click.IntRange(min=1), default=3, show_default=True, help="Zoho Desk organisations.")
@click.option("--span", default="6h", show_default=True, help="How long before now the first message is created.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed and --now give the same bytes.  [default: new]")
@click.option("--now", "moment", help="End of the traffic, ISO 8601.  [default: the clock]")
@click.option("--senders", type=click.IntRange(1, 256), default=8, show_default=True, help="Calls under way at once.")
@click.option("--url", help="Where to send.  [default: the webhook URL of the sandbox]")
@click.option(
    "--answer-key", type=click.Path(dir_okay=False, path_type=Path), help="Write what must be true afterwards (JSON)."
)
@_settings.state_dir_option
def command(
    *,
    messages: int,
    rate: float | None,
    live: bool,
    channels: int,
    duplicates: float,
    reorder: float,
    missing: float,
    broken: int,
    orgs: int,
    span: str,
    seed: int | None,
    moment: str | None,
    senders: int,
    url: str | None,
    answer_key: Path | None,
    state_dir: Path | None,
) -> None:
    """Send simulated webhook calls: seeded lives of messages, some told twice, late, out of order or never."""
    from core.clock import now_ms
    from sandbox.simulator import Traffic
    from sandbox.simulator.client import Pace
    from sandbox.simulator.run import Run, webhook_url

    span_ms = _milliseconds(span)
    if live and moment:
        raise click.UsageError("--live runs by the clock: leave out --now")
    end = _epoch_ms(moment) if moment else now_ms() + (span_ms if live else 0)
    traffic = Traffic(
        now_ms=end,
        messages=messages,
        orgs=orgs,
        channels=channels,
        duplicates=duplicates,
        reorder=reorder,
        missing=missing,
        broken=broken,
        span_ms=span_ms,
        seed=secrets.randbelow(100_000) if seed is None else seed,
    )
    target = url or webhook_url(_settings.load(state_dir))
    run = Run(target, traffic, Pace(rate=rate, live=live), senders, answer_key)
    click.echo(asyncio.run(run.go()))


def _milliseconds(text: str) -> int:
    from datetime import timedelta

    from core.settings import parse_duration

    try:
        span = parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}", param_hint="--span") from None
    return int(span / timedelta(milliseconds=1)) if isinstance(span, timedelta) else 0


def _epoch_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(
            f"{text!r}: write a time with its zone, such as 2025-10-09T07:27:19Z", param_hint="--now"
        )
    return int(moment.timestamp() * 1000)
