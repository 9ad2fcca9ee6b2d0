"""One run: traffic into Kafka while the nemesis strikes, then every row against the answer key."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic
from typing import Any

from rich.console import Console

from core.clock import now_ms
from core.errors import ReceiptstreamError
from core.settings import parse
from sandbox.answer_key import describe
from sandbox.answer_key.alerts import Rule
from sandbox.answer_key.collect import collect
from sandbox.demo.actual import Warehouse, reading
from sandbox.demo.run import environ_of
from sandbox.demo.verify import Verdict, expected_counts, key_of, verify, wait
from sandbox.simulator import Traffic, events
from sandbox.simulator.traffic import Event
from sandbox.stack import Stack
from sandbox.torture.faults import Appetite, Fault, plan
from sandbox.torture.load import missing, over_http, straight
from sandbox.torture.nemesis import Nemesis
from sandbox.torture.receiver import Receiver, receiving

ARRIVAL_S = 240.0
PATIENCE_S = 60.0
"""How long the notifier may say nothing while something is still to be told."""
RULES = (Rule("stuck", "SENT", 2_000), Rule("unread", "DELIVERED", 3_000, followup=True))
"""Second-long, so that many come due while the traffic lasts."""
SPAN_MS = 40 * 60_000
"""Short enough that alerts open instead of being found expired."""
BEHIND_KAFKA = ("processor-1", "processor-2", "sink-1", "sink-2", "notifier-1")
EVERYTHING = (*BEHIND_KAFKA, "ingest", "broker", "warehouse", "dashboard")
ROLES = {"broker", "warehouse", "ingest", "processor", "sink", "notifier", "dashboard"}
SCALE = {"processor": 2, "sink": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Torment:
    """What one run is made of."""

    events: int
    seconds: float
    seed: int
    appetite: Appetite
    targets: Sequence[str] = BEHIND_KAFKA
    http: bool = False
    """Whether the traffic comes over HTTP, as the source sends it, instead of straight into Kafka."""
    traffic: Mapping[str, float] = field(default_factory=dict)
    """Fields of Traffic that are not the default."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the stack that are not the default."""


@dataclass(slots=True)
class Torture:
    """Runs a torment on a stack of its own. `environ` is the user's."""

    environ: Mapping[str, str]
    torment: Torment
    console: Console = field(default_factory=Console)

    async def go(self) -> bool:
        """Run; returns whether every row is as it must be. The directory is kept only when one is not."""
        folder = Path(mkdtemp(prefix="receiptstream-torture-"))
        started = monotonic()
        rules = folder / "rules.toml"
        rules.write_text("".join(map(_toml, RULES)))
        async with receiving() as receiver:
            destinations = folder / "notify.toml"
            destinations.write_text(receiver.destination())
            told = {"RULES_FILE": str(rules), "NOTIFY_FILE": str(destinations), "NOTIFY_ALLOW_PRIVATE": "true"}
            environ = {**environ_of(self.environ), **told, **self.torment.settings}
            async with Stack(folder, environ=environ, roles=ROLES, scale=SCALE) as stack:
                verdict, struck = await self._run(stack, receiver)
                restarts = sum(row.restarts for row in stack.rows())
        self._say(
            f"seed {self.torment.seed}: {verdict.key.ledger['raw']:,} records, {len(struck)} faults, "
            f"{restarts} restarts, {verdict.rows:,} rows compared, {monotonic() - started:.0f} s: "
            f"{'equal' if verdict.equal else 'NOT equal'}"
        )
        if verdict.equal:
            shutil.rmtree(folder, ignore_errors=True)
            return True
        self._say(describe(verdict.exact or verdict.sent))
        for fault in struck:
            self._say(str(fault))
        self._say(f"kept: {folder}")
        return False

    async def _run(self, stack: Stack, receiver: Receiver) -> tuple[Verdict, list[Fault]]:
        torment = self.torment
        settings = parse({**stack.environ, "STATE_DIR": str(stack.state_dir)})
        sent_ms = now_ms()
        events = list(self._events(sent_ms))
        faults = plan(torment.seed, torment.seconds, torment.targets, torment.appetite)
        nemesis = Nemesis(stack, faults, lambda fault: self._say(str(fault)))
        bring = over_http if torment.http else straight
        async with asyncio.TaskGroup() as group:
            group.create_task(nemesis.rage())
            bringing = group.create_task(bring(stack, events, torment.seconds))
        bodies = bringing.result()
        await stack.wait_ready()
        if lost := await missing(stack, bodies, ARRIVAL_S):
            raise ReceiptstreamError(f"{sum(lost.values())} events that were taken are not in Kafka: {min(lost)!r} …")
        # Over HTTP an event may stand twice in Kafka: what was sent does not tell, what stands there does.
        found = await collect(settings) if torment.http else []
        sent = [record.value for record in found] if torment.http else bodies
        key = await asyncio.to_thread(key_of, settings, sent, sent_ms)
        async with reading(settings) as warehouse:
            await wait(warehouse, expected_counts(key, 0), ARRIVAL_S)
            verdict = await verify(settings, warehouse, key, rules=RULES)
            await self._notified(warehouse, receiver)
        return verdict, nemesis.struck

    async def _notified(self, warehouse: Warehouse, receiver: Receiver) -> None:
        """Hold what the receiver was told against the alerts: each opening and resolution, and nothing else."""
        rows = await warehouse.rows("SELECT alert_id, state FROM alerts WHERE state != 'expired'")
        resolved = {(str(row["alert_id"]), "resolved") for row in rows if row["state"] == "resolved"}
        opened = {(str(row["alert_id"]), "open") for row in rows}
        untold = await receiver.untold(opened | resolved, PATIENCE_S)
        invented = receiver.told.keys() - opened - resolved
        if untold or invented:
            first = min(untold or invented)
            raise ReceiptstreamError(f"{len(untold)} alerts were not told, {len(invented)} of none were: {first} …")
        self._say(f"{len(receiver.told):,} openings and resolutions told, {receiver.told.total():,} times in all")

    def _events(self, moment_ms: int) -> Iterator[Event]:
        torment = self.torment
        # More messages than events: there are at least as many receipts, and siblings.
        fields: dict[str, Any] = {"span_ms": SPAN_MS, **torment.traffic}
        traffic = Traffic(now_ms=moment_ms, messages=torment.events, seed=torment.seed, **fields)
        return islice((event for event in events(traffic) if event.kind), torment.events)

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)


def _toml(rule: Rule) -> str:
    """Write a rule as RULES_FILE has it."""
    followup = str(rule.followup).lower()
    lines = (f'name = "{rule.name}"', f'status = "{rule.status}"', f'after = "{rule.after_ms}ms"')
    return "\n".join(("[[rule]]", *lines, f"followup = {followup}", ""))
