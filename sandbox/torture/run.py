"""One torture run: traffic under faults, then every row against the answer key, and all that else must hold."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic
from typing import Any

from rich.console import Console

from core.clickhouse import connect
from core.clock import now_ms
from core.errors import ReceiptstreamError
from sandbox.answer_key import describe
from sandbox.answer_key.alerts import Rule
from sandbox.answer_key.collect import collect
from sandbox.answer_key.records import RawRecord
from sandbox.demo.actual import Warehouse, reading
from sandbox.demo.run import environ_of
from sandbox.demo.verify import Verdict, expected_counts, key_of, verify, wait
from sandbox.simulator import Traffic, events
from sandbox.simulator.traffic import Event
from sandbox.torture import invariants
from sandbox.torture.answers import Answers
from sandbox.torture.faults import BROKERS, Appetite, Fault, plan
from sandbox.torture.host import Wanted
from sandbox.torture.hosted import Hosted
from sandbox.torture.load import missing, over_http, straight
from sandbox.torture.nemesis import USUAL, Nemesis
from sandbox.torture.network import Link, network
from sandbox.torture.plot import plot
from sandbox.torture.receiver import SECRET, Receiver, receiving
from sandbox.torture.watch import Watch
from schemas import topics
from sinks.ledger import audit

ARRIVAL_S = 240.0
CATCH_UP_S = 120.0
"""How long after the last fault nothing may wait in Kafka any more."""
PATIENCE_S = 60.0
"""How long the notifier may say nothing while something is still to be told."""
RULES = (Rule("stuck", "SENT", 2_000), Rule("unread", "DELIVERED", 3_000, followup=True))
"""Second-long, so that many come due while the traffic lasts."""
SPAN_MS = 40 * 60_000
"""Short enough that alerts open instead of being found expired."""
CONSUMERS = ("processor-1", "processor-2", "sink-1", "sink-2")
BEHIND_KAFKA = (*CONSUMERS, "notifier-1")
EVERYTHING = (*BEHIND_KAFKA, "ingest", "broker", "warehouse", "dashboard")
EVERY_BROKER = BROKERS[1:]
ROLES = ("broker", "warehouse", "ingest", "processor", "sink", "notifier", "dashboard")
SCALE = {"processor": USUAL, "sink": USUAL}
SHOWN = 10


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
    brokers: int = 1
    """With 3, Kafka and ClickHouse are reached over a network that may fail."""
    traffic: Mapping[str, float] = field(default_factory=dict)
    """Fields of Traffic that are not the default."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the stack that are not the default."""
    watch_s: float = 5.0
    """Between two looks at memory, files, lag and latency."""
    report: Path | None = None
    """Where to leave the samples (`soak.csv`) and their plot (`soak.svg`); None: nowhere."""


@dataclass(slots=True)
class Torture:
    """Runs a torment on a stack of its own. `environ` is the user's."""

    environ: Mapping[str, str]
    torment: Torment
    console: Console = field(default_factory=Console)
    struck: list[Fault] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Everything that is not as it must be."""
    _facts: list[str] = field(default_factory=list)

    async def go(self) -> bool:
        """Run; returns whether everything is as it must be. The directory is kept only when something is not."""
        folder = Path(mkdtemp(prefix="receiptstream-torture-"))
        started = monotonic()
        known = _secrets()
        async with receiving() as receiver:
            stack = self._stack(folder, receiver, known)
            names = (*BROKERS, "warehouse") if self.torment.brokers > 1 else ()
            async with network({name: _port(stack, name) for name in names}) as links:
                stack.through({name: link.port for name, link in links.items()})
                try:
                    await stack.start()
                    await self._run(stack, links, receiver)
                except ReceiptstreamError as error:
                    self.wrong.append(str(error))
                finally:
                    with suppress(ReceiptstreamError):
                        await stack.stop()
        self.wrong += invariants.leaked(folder / "logs", known)
        took = f"seed {self.torment.seed}: {len(self.struck)} faults, {monotonic() - started:.0f} s"
        self._say("; ".join((took, *self._facts, f"{len(known)} secrets in no log")))
        if not self.wrong:
            shutil.rmtree(folder, ignore_errors=True)
            self._say("equal")
            return True
        self._blame(folder)
        return False

    def _blame(self, folder: Path) -> None:
        """Say what is wrong, what was done, and where everything is kept."""
        self._say(f"NOT as it must be, seed {self.torment.seed}:")
        for text in self.wrong[:SHOWN]:
            self._say(f"  {text}")
        if len(self.wrong) > SHOWN:
            self._say(f"  and {len(self.wrong) - SHOWN} more")
        for fault in self.struck:
            self._say(str(fault))
        self._say(f"kept: {folder}")

    def _stack(self, folder: Path, receiver: Receiver, known: Mapping[str, str]) -> Hosted:
        (folder / "given").mkdir()
        rules, destinations = folder / "given" / "rules.toml", folder / "given" / "notify.toml"
        rules.write_text("".join(map(_toml, RULES)))
        destinations.write_text(receiver.destination())
        told = {"RULES_FILE": str(rules), "NOTIFY_FILE": str(destinations), "NOTIFY_ALLOW_PRIVATE": "true"}
        own = {name: secret for name, secret in known.items() if name.isupper()}
        environ = {**environ_of(self.environ), **told, **own, **self.torment.settings}
        return Hosted(Wanted(str(folder), environ, SCALE, list(ROLES), self.torment.brokers, {}))

    async def _run(self, stack: Hosted, links: Mapping[str, Link], receiver: Receiver) -> None:
        torment, answers = self.torment, Answers()
        sent_ms = now_ms()
        stream = list(self._events(sent_ms))
        faults = plan(torment.seed, torment.seconds, torment.targets, torment.appetite)
        nemesis = Nemesis(stack, links, faults, lambda fault: self._say(str(fault)))
        self.struck = nemesis.struck
        watch = Watch(stack, answers, torment.watch_s)
        looking = asyncio.create_task(watch.look_forever())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(nemesis.rage())
                bringing = group.create_task(self._bring(stack, stream, answers))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            looking.cancel()
            self.wrong += answers.wrong(nemesis.struck, nemesis.began)
        bodies = bringing.result()
        await stack.wait_ready()
        waited = await watch.caught_up(CATCH_UP_S)
        self._facts.append(f"nothing waits {waited:.1f} s after the last fault and event")
        records = await self._arrived(stack, stream, bodies)
        await self._compare(stack, records, bodies, sent_ms, receiver)
        last = await watch.look()
        self.wrong += invariants.grown(watch.samples, last)
        self._tell_answers(answers, watch)
        if torment.report is not None:
            watch.samples.append(last)
            watch.write(torment.report / "soak.csv")
            plot(watch.samples, torment.report / "soak.svg")

    async def _bring(self, stack: Hosted, stream: Sequence[Event], answers: Answers) -> list[bytes]:
        if not self.torment.http:
            return await straight(stack.settings, stream, self.torment.seconds)
        (secret,) = stack.settings.ingest_path_secrets
        url = f"{stack.address('ingest')}/webhooks/zoho-desk/{secret.get_secret_value()}"
        return await over_http(url, stream, self.torment.seconds, answers)

    async def _arrived(self, stack: Hosted, stream: Sequence[Event], bodies: Sequence[bytes]) -> list[RawRecord]:
        """Hold Kafka against what was answered 200, and against what was ever sent."""
        if lost := await missing(stack.settings, bodies, ARRIVAL_S):
            raise ReceiptstreamError(f"{sum(lost.values())} events that were taken are not in Kafka: {min(lost)!r} …")
        records = await collect(stack.settings)
        if unknown := {record.value for record in records} - {event.body for event in stream}:
            raise ReceiptstreamError(f"{len(unknown)} events in Kafka were never sent: {min(unknown)!r} …")
        return records

    async def _compare(
        self, stack: Hosted, records: Sequence[RawRecord], bodies: list[bytes], sent_ms: int, receiver: Receiver
    ) -> None:
        """Hold every table, the ledger, the order and the notifications against what they must be."""
        settings = stack.settings
        # Over HTTP an event may stand twice in Kafka: what was sent does not tell, what stands there does.
        sent = [record.value for record in records] if self.torment.http else bodies
        key = await asyncio.to_thread(key_of, settings, sent, sent_ms)
        async with reading(settings) as warehouse:
            await wait(warehouse, expected_counts(key, 0), ARRIVAL_S)
            # A clock that is wrong, a spool that drains: only the ingress's own path has these.
            verdict = await verify(settings, warehouse, key, rules=RULES, early=self.torment.http)
            self._judge(verdict, records)
            await self._notified(warehouse, receiver)
        self.wrong += invariants.disordered(await collect(settings, topics.TRANSITIONS))
        async with connect(settings, timeout_s=600.0) as clickhouse:
            ledger = await audit(settings, clickhouse, wait_s=PATIENCE_S)
        if not ledger.balanced:
            first = next((str(each) for each in ledger.differences), f"{ledger.under_way} records are under way")
            self.wrong.append(f"the ledger does not balance: {first}")

    def _judge(self, verdict: Verdict, records: Sequence[RawRecord]) -> None:
        self._facts += [f"{len(records):,} records", f"{verdict.rows:,} rows compared"]
        if verdict.early:
            self._facts.append(f"{verdict.early:,} alerts opened early, by a spool or a clock")
        if found := verdict.exact or verdict.sent:
            self.wrong.append(describe(found))

    async def _notified(self, warehouse: Warehouse, receiver: Receiver) -> None:
        """Hold what the receiver was told against the alerts: each opening and resolution, and nothing else."""
        rows = await warehouse.rows("SELECT alert_id, state FROM alerts WHERE state != 'expired'")
        resolved = {(str(row["alert_id"]), "resolved") for row in rows if row["state"] == "resolved"}
        opened = {(str(row["alert_id"]), "open") for row in rows}
        untold = await receiver.untold(opened | resolved, PATIENCE_S)
        invented = receiver.told.keys() - opened - resolved
        if untold or invented:
            first = min(untold or invented)
            self.wrong.append(f"{len(untold)} alerts were not told, {len(invented)} of none were: {first} …")
        self._facts.append(f"{len(receiver.told):,} alerts' openings and resolutions told")

    def _events(self, moment_ms: int) -> Iterator[Event]:
        torment = self.torment
        # More messages than events: there are at least as many receipts, and siblings.
        fields: dict[str, Any] = {"span_ms": SPAN_MS, **torment.traffic}
        traffic = Traffic(now_ms=moment_ms, messages=torment.events, seed=torment.seed, **fields)
        return islice((event for event in events(traffic) if event.kind), torment.events)

    def _tell_answers(self, answers: Answers, watch: Watch) -> None:
        if not answers.counts:
            return
        told = ", ".join(f"{number:,} x {status or 'none'}" for status, number in sorted(answers.counts.items()))
        worst = max((sample.p99_ms or 0.0 for sample in watch.samples), default=0.0)
        self._facts.append(f"answers: {told}; worst p99 of {self.torment.watch_s:.0f} s: {worst:,.0f} ms")

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)


def _secrets() -> dict[str, str]:
    """Return the secrets of a run by name; those in capitals are variables."""
    made = ("INGEST_PATH_SECRETS", "DASHBOARD_TOKEN", "CLICKHOUSE_PASSWORD")
    return {**{name: secrets.token_urlsafe(24) for name in made}, "the notifier's secret": SECRET}


def _port(stack: Hosted, name: str) -> Callable[[], int | None]:
    return lambda: stack.port_of(name)


def _toml(rule: Rule) -> str:
    """Write a rule as RULES_FILE has it."""
    followup = str(rule.followup).lower()
    lines = (f'name = "{rule.name}"', f'status = "{rule.status}"', f'after = "{rule.after_ms}ms"')
    return "\n".join(("[[rule]]", *lines, f"followup = {followup}", ""))
