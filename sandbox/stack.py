"""The whole stack on one machine, as a library: what `receipts up`, the demo, tests and torture runs start."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from core import logs
from core.errors import ConfigError, DiskFullError, ReceiptstreamError, StateDirInUseError
from core.kafka import Kafka
from core.settings import Settings, parse
from sandbox import broker, endpoints, node, plan, ports, probes, shift, status
from sandbox.child import Child
from sandbox.locks import Lock
from sandbox.plan import Instance
from sandbox.setup import run_once

PARTS_START_S = 330.0
"""Longest wait for broker and warehouse: the first start ever downloads Kafka's jars."""
ROLES_START_S = 180.0
PROBE_S = 0.1
LOOK_S = 0.25
WATCH_S = 3.0
HUNG_PROBES = 12
"""Probes in a row without any answer after which a process is taken for hung, and killed: 36 s and more."""

_log = logs.get(__name__)


class Stack:
    """Broker, warehouse and roles as child processes of this one, which end when it does, however it does.

    `environ` is what the user set: with KAFKA_BOOTSTRAP_SERVERS or CLICKHOUSE_URL the part is his own and not
    started; a port in it is that port or an error. `roles` limits what is started (the parts included), `scale` says
    how many of a role, `brokers` how many nodes Kafka has (else SANDBOX_BROKERS). Use it as an async context manager,
    or `start` and `stop`. `failed` is set when it cannot go on.
    On Linux a child dies with the thread that started it: run the loop in one that lives as long as the stack.
    `fronts` are ports by part (`broker`, `broker-2`, `warehouse`): the roles are sent there instead of to the part, and
    the caller forwards what comes to a broker's `node.json`'s front, or the warehouse's own port.
    `clocks` is a directory in which each role gets the file of a clock that tests move.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        environ: Mapping[str, str],
        scale: Mapping[str, int] | None = None,
        roles: Iterable[str] | None = None,
        brokers: int | None = None,
        fronts: Mapping[str, int] | None = None,
        clocks: Path | None = None,
    ) -> None:
        given = {name: value for name, value in environ.items() if value}
        self.state_dir = state_dir.absolute()
        self.settings: Settings = parse({**given, "STATE_DIR": str(self.state_dir)})
        self.failed = asyncio.Event()
        self.failure: ReceiptstreamError | None = None
        self.moved: list[str] = []
        """Sentences on ports that are not the default ones."""
        self._given = given
        self._scale = dict(scale or {})
        self._roles = None if roles is None else set(roles)
        self._brokers = brokers or self.settings.sandbox_brokers
        self._fronts = dict(fronts or {})
        self._clocks = clocks
        self._lock = Lock(self.state_dir / status.LOCK)
        self._instances: list[Instance] = []
        self._children: list[Child] = []
        self._watching: asyncio.Task[None] | None = None
        self._held: list[socket.socket] = []
        self._session: aiohttp.ClientSession | None = None

    # --- what others read -------------------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which any command or client finds the stack."""
        known = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, "CLICKHOUSE_URL": self.clickhouse_url}
        for one in self._instances:
            if one.role.name == one.name and one.role.name not in plan.PARTS:
                known[one.role.port_variable] = str(one.port)
        known["DASHBOARD_INGEST_URLS"] = self._ingest_urls
        if self._clustered:
            known["REPLICATION_FACTOR"] = self._replicas
        return {name: value for name, value in known.items() if value}

    @property
    def kafka(self) -> Kafka:
        """Kafka, for clients: the user's own as the settings say, or the sandbox's."""
        return self.settings if self.settings.kafka_bootstrap_servers else self.kafka_bootstrap

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka's bootstrap servers, '' when this stack has none."""
        return self.settings.kafka_bootstrap_servers or ",".join(
            one.address for one in self._instances if one.role.name == "broker"
        )

    @property
    def clickhouse_url(self) -> str:
        """ClickHouse's URL, '' when this stack has none."""
        return self.settings.clickhouse_url or self._address("warehouse")

    @property
    def ingest_url(self) -> str:
        """The ingress's base URL, '' when this stack has none."""
        return self._address("ingest")

    @property
    def dashboard_url(self) -> str:
        """The dashboard's URL, '' when this stack has none."""
        return self._address("dashboard")

    @property
    def broker_kind(self) -> str:
        """`kafka`, `memory`, or `external`."""
        return "external" if self.settings.kafka_bootstrap_servers else broker.describe(self.state_dir).get("kind", "")

    def pids(self) -> dict[str, int]:
        """Return the pid of each living instance by name."""
        return {child.instance.name: child.pid for child in self._children if child.pid is not None}

    def rows(self) -> list[status.Row]:
        """Return what `receipts ps` shows."""
        return [
            status.Row(
                child.instance.name,
                child.pid,
                child.state,
                child.restarts,
                child.instance.address,
                child.instance.port,
                child.created,
            )
            for child in self._children
        ]

    # --- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and return once everything serves. Raises ReceiptstreamError; then call `stop`."""
        self._take_directory()
        self._instances = self._plan()
        self._introduce_brokers()
        self._session = aiohttp.ClientSession()
        self._launch(one for one in self._instances if one.role.name in plan.PARTS)
        await self.wait_ready(PARTS_START_S)
        await self._set_up()
        endpoints.write(self.state_dir, self.environ)
        self._launch(one for one in self._instances if one.role.name not in plan.PARTS)
        await self.wait_ready(ROLES_START_S)
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Drain in order: what takes events in first, what stores them last. Returns within 20 s."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        for stage in sorted({child.instance.role.stage for child in self._children}):
            members = [child for child in self._children if child.instance.role.stage == stage]
            await asyncio.gather(*(child.stop(child.instance.role.drain_s) for child in members))
        for holder in self._held:
            holder.close()
        self._held.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._lock.held:
            self._changed()
            endpoints.clear(self.state_dir)
            self._lock.release()

    def kill(self, name: str) -> int:
        """Kill an instance with SIGKILL, as a crash would; return the pid it had. The supervision starts it again."""
        child = next(child for child in self._children if child.instance.name == name)
        pid = child.pid
        if pid is None:
            raise ReceiptstreamError(f"{name} does not run")
        child.kill()
        return pid

    async def scale(self, role: str, number: int) -> None:
        """Let so many of a role run from now on: start what lacks, drain what is too many, the last ones first.

        Raises ConfigError for a role that is no consumer: others are known to their clients by address.
        """
        if role not in plan.CONSUMERS:
            raise ConfigError(f"{role} cannot be scaled while it runs", fix=f"Roles: {', '.join(plan.CONSUMERS)}")
        wanted = plan.names(plan.BY_NAME[role], number)
        there = [child for child in self._children if child.instance.role.name == role]
        left = [child for child in there if child.instance.name not in wanted]
        for child in left:
            self._children.remove(child)
            self._instances.remove(child.instance)
        await asyncio.gather(*(child.stop(child.instance.role.drain_s) for child in left))
        names = {child.instance.name for child in there}
        more = [self._instance(name, plan.BY_NAME[role], None) for name in wanted if name not in names]
        self._instances += more
        self._launch(more)
        self._changed()

    async def wait_ready(self, timeout_s: float = ROLES_START_S) -> None:
        """Wait until every instance serves. Raises ReceiptstreamError naming the one that does not, and why."""
        deadline = time.monotonic() + timeout_s
        while waiting := [child for child in self._children if child.state != "running"]:
            reasons = await asyncio.gather(*(self._probe(child) for child in waiting))
            self._raise_failure()
            if time.monotonic() > deadline:
                told = "; ".join(f"{c.instance.name}: {why}" for c, why in zip(waiting, reasons, strict=True) if why)
                raise ReceiptstreamError(f"not ready after {timeout_s:.0f} s: {told}", fix=f"See {self._logs}")
            await asyncio.sleep(PROBE_S)

    # --- steps of the start -----------------------------------------------------------------------------------------

    def _take_directory(self) -> None:
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._logs.mkdir(exist_ok=True)
            taken = self._lock.acquire()
        except OSError as error:
            raise ConfigError(
                f"STATE_DIR={self.state_dir}: {error.strerror}", fix="Name a directory that can be written"
            ) from error
        if not taken:
            raise StateDirInUseError(
                f"process {self._lock.holder()} already runs the sandbox of {self.state_dir}",
                fix="Stop it, or name another directory with --state-dir",
            )
        if any(character in str(self.state_dir) for character in ",?\n"):
            raise ConfigError(f"STATE_DIR={str(self.state_dir)!r}: a comma, ? or line end cannot be in it")
        self._check_room()
        if left := status.clear_orphans(self.state_dir):
            _log.warning("killed what an earlier supervisor left", roles=left)

    def _check_room(self) -> None:
        free, wanted = shutil.disk_usage(self.state_dir).free, self.settings.sandbox_min_free_bytes
        if free < wanted:
            raise DiskFullError(
                f"only {free // 2**20} MiB are free on the disk of {self.state_dir}, {wanted // 2**20} MiB are wanted",
                fix="Free some, name another directory with --state-dir, or lower SANDBOX_MIN_FREE_BYTES",
            )

    def _plan(self) -> list[Instance]:
        available = {role.name for role in plan.ROLES if importlib.util.find_spec(f"cli.{role.name}") is not None}
        if self._roles is not None:
            available &= self._roles
        external = set()
        if self.settings.kafka_bootstrap_servers:
            external.add("broker")
        if self.settings.clickhouse_url:
            external.add("warehouse")
        kept = {row.role: row.port for row in status.read(self.state_dir)}
        numbers = plan.counts(self._scale, available, external)
        if numbers.get("broker"):
            numbers["broker"] = self._brokers
        return [
            self._instance(name, plan.BY_NAME[role], kept.get(name))
            for role, number in numbers.items()
            for name in plan.names(plan.BY_NAME[role], number)
        ]

    def _instance(self, name: str, role: plan.Role, kept: int | None) -> Instance:
        host = self._given.get(role.host_variable, ports.LOOPBACK)
        first = name == role.name
        wanted = int(self._given.get(role.port_variable, role.default_port)) if first else 0
        explicit = first and role.port_variable in self._given
        port = ports.choose(role.port_variable, wanted, explicit=explicit, kept=kept, host=host)
        if (holder := ports.hold(port, host)) is not None:
            self._held.append(holder)
        if first and wanted not in (0, port):
            self.moved.append(f"{role.port_variable} is {port}: {wanted} was taken when this sandbox was made")
        own = plan.own_environ(name, role, port, self.state_dir, self.settings.spool_path)
        return Instance(name, role, host, port, own)

    def _introduce_brokers(self) -> None:
        """Tell each broker of the others. Raises ConfigError when the directory holds another number of them."""
        names = [one.name for one in self._instances if one.role.name == "broker"]
        homes = {name: self.state_dir / ("" if name == "broker" else name) / "kafka" for name in names}
        if not names:
            return
        # Any of them may have lost its disk.
        there = (self.state_dir / "kafka", *sorted(self.state_dir.glob("broker-*/kafka")))
        formatted = [home for home in there if (home / "formatted").exists()]
        known = next((found for home in (*formatted, *there) if (found := node.read(home)) is not None), None)
        had = len(known.voters) if known is not None else 1
        if formatted and had != len(names):
            raise ConfigError(
                f"{self.state_dir} holds the data of a Kafka of {had} brokers, not of {len(names)}",
                fix=f"Set SANDBOX_BROKERS={had}, or name another directory with --state-dir",
            )
        if len(names) > 1 and self.settings.sandbox_broker == "memory":
            raise ConfigError("SANDBOX_BROKER=memory: there is only one such broker", fix="Set SANDBOX_BROKERS=1")
        cluster = known.cluster if known is not None else node.new_cluster()
        voters = {number: self._free() for number in range(1, len(names) + 1)}
        for number, name in enumerate(names, start=1):
            front = node.Front(self._free(), self._fronts[name]) if name in self._fronts else None
            node.write(homes[name], node.Node(number, voters, cluster, front))

    def _free(self) -> int:
        """Return a free port, kept from others as long as the stack lives."""
        port = ports.free_port()
        if (holder := ports.hold(port)) is not None:
            self._held.append(holder)
        return port

    async def _set_up(self) -> None:
        """Create topics and tables; those of roles that are not here are not asked for."""
        commands = [("topics", self.kafka_bootstrap), ("migrate", self.clickhouse_url)]
        wanted = [name for name, needed in commands if needed and importlib.util.find_spec(f"cli.{name}") is not None]
        await asyncio.gather(*(run_once(name, self._child_environ(), self._logs / f"{name}.log") for name in wanted))

    def _launch(self, instances: Iterable[Instance]) -> None:
        shared = self._child_environ()
        for one in instances:
            child = Child(
                one, {**shared, **one.environ}, self._logs / f"{one.name}.log", self._changed, self._clock(one)
            )
            self._children.append(child)
            child.start().add_done_callback(partial(self._ended, child))

    def _clock(self, one: Instance) -> Path | None:
        if self._clocks is None or one.role.name in plan.PARTS:
            return None
        file = self._clocks / one.name
        shift.make(file)
        return file

    def _child_environ(self) -> dict[str, str]:
        parts = {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, "CLICKHOUSE_URL": self.clickhouse_url}
        if fronts := [port for name, port in self._fronts.items() if name.startswith("broker")]:
            parts["KAFKA_BOOTSTRAP_SERVERS"] = ",".join(f"{ports.LOOPBACK}:{port}" for port in fronts)
        if "warehouse" in self._fronts:
            parts["CLICKHOUSE_URL"] = f"http://{ports.LOOPBACK}:{self._fronts['warehouse']}"
        if self.broker_kind == "memory":
            parts["KAFKA_IDEMPOTENCE"] = "false"
        own = {"DASHBOARD_INGEST_URLS": self._ingest_urls}
        if self._clustered:
            own["REPLICATION_FACTOR"] = self._replicas
        return {**own, **self._given, **parts, "STATE_DIR": str(self.state_dir), "TZ": "UTC", "PYTHONUNBUFFERED": "1"}

    # --- supervision ------------------------------------------------------------------------------------------------

    def _ended(self, child: Child, supervision: asyncio.Task[None]) -> None:
        if not supervision.cancelled() and (error := supervision.exception()) is not None:
            self._fail(ReceiptstreamError(f"{child.instance.name} cannot be started: {error}"))
        if child.misconfigured:
            self._fail(
                ConfigError(f"{child.instance.name} refused to start: {child.last_line().removeprefix('receipts: ')}")
            )

    async def _watch(self) -> None:
        """Look often at what starts again, now and then at all: kill what hangs, keep logs bounded."""
        silent: dict[str, int] = {}
        while True:
            for _ in range(round(WATCH_S / LOOK_S)):
                await asyncio.sleep(LOOK_S)
                await asyncio.gather(*(self._probe(child) for child in self._children if child.state == "starting"))
            serving = [child for child in self._children if child.state == "running"]
            for child, why in zip(serving, await asyncio.gather(*map(self._probe, serving)), strict=True):
                child.rotate()
                name = child.instance.name
                silent[name] = silent.get(name, 0) + 1 if "does not answer" in why else 0
                if silent[name] >= HUNG_PROBES:
                    _log.error("hung: killed", name=name, why=why)
                    silent[name] = 0
                    child.kill()

    async def _probe(self, child: Child) -> str:
        if child.pid is None or self._session is None:
            return f"it does not run; its last line: {child.last_line()}"
        why = await probes.why_not_ready(child.instance, self._session)
        if not why:
            child.mark_ready()
        return why

    def _fail(self, error: ReceiptstreamError) -> None:
        self.failure = self.failure or error
        self.failed.set()

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _changed(self) -> None:
        with suppress(OSError):  # a full disk must not end the supervision
            status.write(self.state_dir, self.rows())

    @property
    def _clustered(self) -> bool:
        return self._brokers > 1 and not self.settings.kafka_bootstrap_servers

    @property
    def _replicas(self) -> str:
        return self._given.get("REPLICATION_FACTOR", str(min(node.FEW, self._brokers)))

    @property
    def _ingest_urls(self) -> str:
        return ",".join(one.address for one in self._instances if one.role.name == "ingest")

    @property
    def _logs(self) -> Path:
        return self.state_dir / "logs"

    def _address(self, name: str) -> str:
        return next((one.address for one in self._instances if one.name == name), "")
