"""The nemesis: carries out a plan of faults on a running stack."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

import psutil

from sandbox import shift
from sandbox.torture.faults import SUPERVISOR, Fault
from sandbox.torture.host import clocks_of
from sandbox.torture.hosted import Hosted
from sandbox.torture.network import Link

POLL_S = 0.05
USUAL = 2
"""Processors and sinks, while no fault changes their number."""
_SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "terminate": signal.SIGTERM}


class Nemesis:
    """Strikes one fault after the other; `struck` is what was really done, with the times of its doing.

    What lasts is undone after its time by a task of its own, so that faults overlap. A fault whose target cannot be
    struck any more (another number of processes) is left out.
    """

    def __init__(
        self,
        stack: Hosted,
        links: Mapping[str, Link],
        plan: Sequence[Fault],
        on_fault: Callable[[Fault], None] = lambda _: None,
    ) -> None:
        self.struck: list[Fault] = []
        self.began = monotonic()
        self._stack = stack
        self._links = links
        self._plan = plan
        self._on_fault = on_fault
        self._undo: dict[asyncio.Task[None], Callable[[], None]] = {}

    async def rage(self) -> None:
        """Carry out the plan; everything is undone when it returns, or when it is cancelled."""
        self.began = monotonic()
        try:
            for fault in self._plan:
                await asyncio.sleep(max(0.0, self.began + fault.at_s - monotonic()))
                await self._strike(fault)
            while self._undo:
                await asyncio.wait(list(self._undo))
        finally:
            for task, undo in list(self._undo.items()):
                task.cancel()
                undo()
        for role in ("processor", "sink"):
            await self._stack.scale(role, USUAL)

    async def _strike(self, fault: Fault) -> None:
        done = fault._replace(at_s=monotonic() - self.began)
        if fault.target == SUPERVISOR:
            self._note(done)
            await self._stack.restart(_SIGNALS[fault.kind])
            self.struck[-1] = done._replace(seconds=monotonic() - self.began - done.at_s)
            return
        if fault.kind == "scale":
            await self._stack.scale(fault.target, fault.amount)
        elif fault.kind in ("slow", "cut", "hang"):
            self._on_network(fault)
        elif fault.kind == "clock":
            self._on_clock(fault)
        elif not await self._on_processes(fault):
            return
        self._note(done)

    def _note(self, fault: Fault) -> None:
        self.struck.append(fault)
        self._on_fault(fault)

    def _on_network(self, fault: Fault) -> None:
        for link in (self._links[name] for name in fault.targets if name in self._links):
            if fault.kind == "slow":
                link.delay_s = fault.amount / 1000
            elif fault.kind == "cut":
                link.cut()
            else:
                link.hang()
            self._after(fault.seconds, link.mend)

    def _on_clock(self, fault: Fault) -> None:
        file = clocks_of(self._stack.state_dir) / fault.target
        if file.exists():
            shift.move(file, fault.amount)
            self._after(fault.seconds, lambda: shift.move(file, 0))

    async def _on_processes(self, fault: Fault) -> bool:
        """Strike processes; tell whether any was there."""
        pids = [pid for name in fault.targets if (pid := await self._living(name)) is not None]
        for pid in pids:
            with suppress(ProcessLookupError, psutil.Error):
                if fault.kind == "full":
                    _limit(pid, fault.amount)
                    self._after(fault.seconds, partial(_limit, pid, psutil.RLIM_INFINITY))
                    continue
                os.kill(pid, _SIGNALS[fault.kind])
                if fault.kind == "pause":
                    self._after(fault.seconds, partial(_wake, pid))
        return bool(pids)

    async def _living(self, name: str) -> int | None:
        """Wait until a target lives (it may be starting again); None where there is no such any more."""
        while (pid := self._stack.pids().get(name)) is None:
            if name not in {row.role for row in self._stack.rows()}:
                return None
            await asyncio.sleep(POLL_S)
        return pid

    def _after(self, seconds: float, undo: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            self._undo.pop(task)
            undo()

        task = asyncio.create_task(wait())
        self._undo[task] = undo


def _wake(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _limit(pid: int, size: int) -> None:
    """Let no file of a process grow past a size: its writes fail as on a full disk (EFBIG in place of ENOSPC)."""
    with suppress(psutil.Error):
        psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
