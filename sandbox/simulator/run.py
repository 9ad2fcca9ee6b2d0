"""One run of the simulator with a progress bar: make, send, answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from core.clock import now_ms
from core.errors import ConfigError
from core.settings import Settings
from sandbox import endpoints
from sandbox.answer_key import answer_of_bodies
from sandbox.plan import reachable
from sandbox.simulator import key_file
from sandbox.simulator.client import Outcome, Pace, send
from sandbox.simulator.config import Traffic
from sandbox.simulator.traffic import Call, Event, calls, events

PORT_NAME = "INGEST_PORT"
PATH = "/webhooks/zoho-desk"
LIVE_LINGER_MS = 1000


def webhook_url(settings: Settings) -> str:
    """Return the webhook URL of the sandbox that runs in the state directory. Raises ConfigError when none does."""
    port = endpoints.read(settings.state_dir).get(PORT_NAME)
    if not port:
        raise ConfigError(
            f"no sandbox runs in {settings.state_dir}",
            fix="Start one with `receipts up`, or name where to send with --url",
        )
    secrets = settings.ingest_path_secrets
    secret = f"/{secrets[0].get_secret_value()}" if secrets else ""
    return f"http://{reachable(settings.ingest_host)}:{port}{PATH}{secret}"


@dataclass(slots=True)
class Run:
    """What to send where, and where to write what must be true afterwards."""

    url: str
    traffic: Traffic
    pace: Pace
    senders: int
    answer_key: Path | None

    async def go(self) -> str:
        """Send everything, write the answer key, and say in a sentence what was done."""
        if self.answer_key:
            key_file.check_writable(self.answer_key)
        bodies: list[bytes] = []

        def sent(call: Call) -> None:
            if self.answer_key:
                bodies.extend(event.body for event in call.events if event.kind)

        with bar() as progress:
            task = progress.add_task("sending webhooks", total=self.traffic.messages)
            stream = calls(
                self._watched(progress, task),
                senders=self.senders,
                seed=self.traffic.seed,
                linger_ms=LIVE_LINGER_MS if self.pace.live else None,
            )
            outcome = await send(self.url, stream, senders=self.senders, pace=self.pace, on_sent=sent)
            progress.update(task, completed=self.traffic.messages)
        if self.answer_key:
            key_file.write(self.answer_key, self.traffic, outcome, answer_of_bodies(bodies, now_ms()))
        return summary(self.traffic, outcome)

    def _watched(self, progress: Progress, task: TaskID) -> Iterator[Event]:
        """Move the bar with the traffic's own clock: how many messages have been created by an event's time."""
        for number, event in enumerate(events(self.traffic)):
            if number % 500 == 0:
                share = (event.at_ms - self.traffic.start_ms) / self.traffic.span_ms
                progress.update(task, completed=int(share * self.traffic.messages))
            yield event


def bar() -> Progress:
    """Return a progress bar on standard error: standard output stays a command's own answer."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("messages"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def summary(traffic: Traffic, outcome: Outcome) -> str:
    """Say what was sent."""
    rate = outcome.events / outcome.seconds if outcome.seconds else 0
    retried = f"; {outcome.retries} calls sent again, so duplicates may be more" if outcome.retries else ""
    return (
        f"sent {outcome.events:,} events of {traffic.messages:,} messages in {outcome.calls:,} calls, "
        f"{outcome.seconds:.1f} s ({rate:,.0f} events/s): {outcome.accepted:,} accepted, {outcome.parked:,} parked; "
        f"seed {traffic.seed}{retried}"
    )
