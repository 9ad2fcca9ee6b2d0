"""The demo from beginning to end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from core.clock import now_ms
from core.settings import Settings, parse
from sandbox.demo import show
from sandbox.demo.actual import Warehouse, reading
from sandbox.demo.verify import Verdict, expected_counts, key_of, verify, wait
from sandbox.simulator import Traffic, calls, events
from sandbox.simulator.client import Outcome, send
from sandbox.simulator.traffic import Call, Event
from sandbox.stack import Stack

SENDERS = 16
ARRIVAL_S = 60.0
PATH = "/webhooks/zoho-desk"
_OWN_PORTS = dict.fromkeys(("SANDBOX_KAFKA_PORT", "SANDBOX_CLICKHOUSE_PORT", "INGEST_PORT", "DASHBOARD_PORT"), "0")
_KEPT = frozenset({"SANDBOX_BROKER", "SANDBOX_CACHE_DIR", "SANDBOX_MIN_FREE_BYTES", "LOG_LEVEL"})


def environ_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the demo's environment: the user's own, without settings that point at his real stack."""
    ours = {str(each.alias) for each in Settings.model_fields.values()} - _KEPT
    return {name: value for name, value in environ.items() if name not in ours} | _OWN_PORTS


@dataclass(slots=True)
class Demo:
    """One run. `messages` are the outgoing messages simulated."""

    environ: Mapping[str, str]
    messages: int
    seed: int
    keep: bool
    console: Console = field(default_factory=Console)
    _bodies: list[bytes] = field(default_factory=list)

    async def go(self) -> bool:
        """Run; returns whether ClickHouse equals the answer key. The temporary directory is gone afterwards."""
        started = monotonic()
        with TemporaryDirectory(prefix="receiptstream-demo-") as folder:
            stack = Stack(Path(folder), environ=environ_of(self.environ))
            self.console.print(
                f"starting Kafka, ClickHouse's engine and all roles in {folder}", highlight=False, soft_wrap=True
            )
            async with stack:
                self.console.print(f"ready after {monotonic() - started:.1f} s", highlight=False, soft_wrap=True)
                verdict = await self._run(stack)
                self.console.print(f"done after {monotonic() - started:.1f} s", highlight=False, soft_wrap=True)
                if self.keep:
                    await self._stay(stack)
        return verdict.equal

    async def _run(self, stack: Stack) -> Verdict:
        settings = parse({**stack.environ, "STATE_DIR": str(stack.state_dir)})
        async with reading(settings) as warehouse:
            sent_ms = now_ms()
            outcome = await self._send(f"{stack.ingest_url}{PATH}", sent_ms)
            key = key_of(settings, self._bodies, sent_ms)
            await self._arrive(warehouse, expected_counts(key, outcome.parked))
            verdict = await verify(settings, warehouse, key)
            await show.tables(self.console, warehouse)
        show.verdict(self.console, verdict)
        return verdict

    async def _send(self, url: str, moment_ms: int) -> Outcome:
        """Send the source's own sample, byte for byte, then the traffic."""
        traffic = Traffic(now_ms=moment_ms, messages=self.messages, seed=self.seed, broken=self.messages // 500)
        stream = list(events(traffic))
        with _bar() as progress:
            task = progress.add_task("sending webhooks", total=len(stream) + 1)

            def sent(call: Call) -> None:
                progress.advance(task, len(call.events))
                self._bodies.extend(event.body for event in call.events if event.kind)

            outcome = await send(url, [sample()], senders=1, on_sent=sent)
            rest = await send(url, calls(stream, senders=SENDERS, seed=self.seed), senders=SENDERS, on_sent=sent)
        self.console.print(
            f"sent the source's sample and {rest.events:,} events in {rest.calls:,} calls, {rest.seconds:.1f} s "
            f"({rest.events / rest.seconds:,.0f} events/s): {rest.accepted:,} accepted, {rest.parked:,} parked",
            highlight=False,
            soft_wrap=True,
        )
        rest.parked += outcome.parked
        return rest

    async def _arrive(self, warehouse: Warehouse, expected: dict[str, int]) -> None:
        started = monotonic()
        with _bar() as progress:
            tasks = {name: progress.add_task(f"{name} in ClickHouse", total=each) for name, each in expected.items()}

            def found(counts: dict[str, int]) -> None:
                for name, count in counts.items():
                    progress.update(tasks[name], completed=count)

            await wait(warehouse, expected, ARRIVAL_S, found)
        waited = monotonic() - started
        self.console.print(
            f"ClickHouse has it all after {waited:.1f} s more of waiting", highlight=False, soft_wrap=True
        )

    async def _stay(self, stack: Stack) -> None:
        self.console.print("\nstill up; Ctrl-C ends it and removes its directory", highlight=False, soft_wrap=True)
        urls = {
            "webhooks": f"{stack.ingest_url}{PATH}",
            "dashboard": stack.dashboard_url,
            "clickhouse": stack.clickhouse_url,
            "kafka": stack.kafka_bootstrap,
        }
        for name, url in urls.items():
            if url:
                self.console.print(f"  {name:<11}{url}", highlight=False, soft_wrap=True)
        self.console.print(f"  commands   receipts … --state-dir {stack.state_dir}", highlight=False, soft_wrap=True)
        with suppress(asyncio.CancelledError):
            await stack.failed.wait()


def sample() -> Call:
    """Return the source's own sample payload as a call: `body` is the file, byte for byte."""
    text = resources.files("schemas").joinpath("examples/zoho_sample.json").read_bytes().strip()
    return Call(0, "106553778", [Event(0, "106553778", "50007000000006017", "IM_Message_Status", text[1:-1])])


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
    )
