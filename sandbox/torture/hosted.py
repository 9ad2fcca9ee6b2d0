"""A stack under a supervisor that is another process: what the nemesis strikes, the supervisor included."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from core.errors import ReceiptstreamError
from core.settings import Settings, parse
from sandbox import endpoints, node, status
from sandbox.child import last_line
from sandbox.torture.host import Number, Wanted

START_S = 240.0
STOP_S = 30.0
POLL_S = 0.1
LINE = 1 << 16


class Hosted:
    """Start and stop as often as you like; everything is kept in the state directory."""

    def __init__(self, wanted: Wanted) -> None:
        self.state_dir = Path(wanted.state_dir)
        self.restarts = 0
        """Of the supervisor."""
        self._wanted = wanted
        self._process: asyncio.subprocess.Process | None = None
        self._scale = dict(wanted.scale)

    def through(self, fronts: Mapping[str, int]) -> None:
        """Let roles reach parts by way of these ports, from the next start on."""
        self._wanted = msgspec.structs.replace(self._wanted, fronts=dict(fronts))

    async def start(self) -> None:
        """Start it and return when everything serves. Raises ReceiptstreamError."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sandbox.torture.host", str(os.getpid())),
                env=dict(self._wanted.environ),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE,
            )
        await self._tell(msgspec.structs.replace(self._wanted, scale=self._scale))
        assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_S)
        except TimeoutError:
            line = b""
        if not line.startswith(b"ready"):
            raise ReceiptstreamError(f"the stack did not start: {last_line(self._log)}", fix=f"See {self.state_dir}")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the supervisor by a signal, and with it everything."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
            raise ReceiptstreamError(f"the supervisor did not end within {STOP_S:.0f} s", fix=f"See {self.state_dir}")

    async def restart(self, number: signal.Signals) -> None:
        """End it by a signal and start it again on the same directory."""
        await self.stop(number)
        self.restarts += 1
        await self.start()

    async def scale(self, role: str, number: int) -> None:
        """Let so many of a role run."""
        self._scale[role] = number
        await self._tell(Number(role, number))

    def rows(self) -> list[status.Row]:
        """Return what `receipts ps` shows."""
        return status.read(self.state_dir)

    def pids(self) -> dict[str, int]:
        """Return the pid of each living instance by name; nothing lives without a supervisor."""
        if self._process is None or self._process.returncode is not None:
            return {}
        return {row.role: row.pid for row in self.rows() if row.pid is not None and row.state != "backoff"}

    async def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until every instance serves. Raises ReceiptstreamError naming those that do not."""
        deadline = monotonic() + timeout_s
        while waiting := [row.role for row in self.rows() if row.state != "running"]:
            if monotonic() > deadline or self._process is None or self._process.returncode is not None:
                raise ReceiptstreamError(f"not ready: {', '.join(waiting)}", fix=f"See {self.state_dir}")
            await asyncio.sleep(POLL_S)

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables with which any client finds the stack, past the faulty network."""
        return {**self._wanted.environ, **endpoints.read(self.state_dir), "STATE_DIR": str(self.state_dir)}

    @property
    def settings(self) -> Settings:
        """The stack's settings, as commands on it see them."""
        return parse(self.environ)

    def address(self, role: str) -> str:
        """Return a role's base URL."""
        return next(row.address for row in self.rows() if row.role == role)

    def port_of(self, name: str) -> int | None:
        """Return the port behind a faulty link: a broker's front, the warehouse's own; None while there is none."""
        if name.startswith("broker"):
            home = self.state_dir / ("" if name == "broker" else name) / "kafka"
            known = node.read(home)
            return known.front.listens if known is not None and known.front is not None else None
        return next((row.port for row in self.rows() if row.role == name), None)

    @property
    def _log(self) -> Path:
        return self.state_dir / "logs" / "up.log"

    async def _tell(self, what: Wanted | Number) -> None:
        assert self._process is not None  # noqa: S101 -- started before
        assert self._process.stdin is not None  # noqa: S101 -- a pipe was asked for
        self._process.stdin.write(msgspec.json.encode(what) + b"\n")
        with suppress(ConnectionError):
            await self._process.stdin.drain()
