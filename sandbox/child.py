"""One supervised process: started, watched, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from core import logs
from sandbox.backoff import Backoff
from sandbox.plan import Instance

State = Literal["starting", "running", "backoff", "stopped"]
LOG_BYTES = 32 * 1024 * 1024
CONFIG_EXIT = 2

_log = logs.get(__name__)


class Child:
    """The process of an instance. `on_change` is called after every change of what `receipts ps` shows."""

    def __init__(
        self,
        instance: Instance,
        environ: Mapping[str, str],
        log_file: Path,
        on_change: Callable[[], None],
        clock: Path | None = None,
    ) -> None:
        self.instance = instance
        self.state: State = "stopped"
        self.restarts = 0
        self.served = False
        """Whether it has ever been ready."""
        self.misconfigured = False
        """Whether it ended with the exit code of a configuration error before it ever served."""
        self.created = 0.0
        """When the process was made, as the system tells it: with the pid it names one process for ever."""
        self._environ = dict(environ)
        self._log_file = log_file
        self._on_change = on_change
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the living process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def start(self) -> asyncio.Task[None]:
        """Start it and keep it alive; the task ends after `stop`, or when it is misconfigured."""
        self._task = asyncio.create_task(self._supervise())
        return self._task

    def mark_ready(self) -> None:
        """Note that a probe found it serving."""
        self.served = True
        if self.state == "starting":
            self._set("running")

    def kill(self) -> None:
        """Kill it at once, with whatever it started itself; the supervision starts it again."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self, grace_s: float) -> bool:
        """Ask it to end, kill it after `grace_s` seconds; tell whether it ended by itself."""
        self._stopping.set()
        if self._task is None:
            return True
        self._terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self._task), grace_s)
        except TimeoutError:
            _log.warning("did not end in time: killed", name=self.instance.name, after_s=grace_s)
            self.kill()
            await self._task
            return False
        return True

    def last_line(self) -> str:
        """Return the last line it wrote, '' when there is none."""
        return last_line(self._log_file)

    def rotate(self) -> None:
        """Keep the log bounded: one older part, cut where the process appends, so that it need not know."""
        with suppress(OSError):
            if self._log_file.stat().st_size > LOG_BYTES:
                shutil.copyfile(self._log_file, self._log_file.with_suffix(".log.1"))
                os.truncate(self._log_file, 0)

    async def _supervise(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._live()
            if self._stopping.is_set():
                break
            if code == CONFIG_EXIT and not self.served:
                self.misconfigured = True
                break
            delay = backoff.after(time.monotonic() - started)
            _log.warning("died", name=self.instance.name, code=code, again_in_s=delay, last=self.last_line())
            self.restarts += 1
            self._set("backoff")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        self._set("stopped")

    async def _live(self) -> int:
        """Run the process once and return its exit code."""
        self._process = process = await spawn(self.instance.role.name, self._environ, self._log_file, self._clock)
        with suppress(psutil.Error):
            self.created = psutil.Process(process.pid).create_time()
        self._set("starting")
        if self._stopping.is_set():  # asked while it was being started
            self._terminate()
        return await process.wait()

    def _terminate(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def _set(self, state: State) -> None:
        self.state = state
        self._on_change()


async def spawn(
    command: str, environ: Mapping[str, str], log_file: Path, clock: Path | None = None
) -> asyncio.subprocess.Process:
    """Start `receipts COMMAND` as a child that dies with this process, in a session of its own, writing to a log.

    `clock` is the file of a clock that tests move.
    """
    follows = () if clock is None else ("--clock", str(clock))
    with log_file.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "sandbox.tether", str(os.getpid()), *follows, command),
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )


def last_line(log_file: Path) -> str:
    """Return the last line of a log that is not empty, '' when there is none."""
    with suppress(OSError), log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - 8192))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
