"""The nemesis: carries out a plan of faults on a running stack."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from sandbox.stack import Stack
from sandbox.torture.faults import Fault

POLL_S = 0.05


class Nemesis:
    """Strikes one fault after the other; `struck` is what was really done, with the times of its doing."""

    def __init__(self, stack: Stack, plan: Sequence[Fault], on_fault: Callable[[Fault], None] = lambda _: None) -> None:
        self.struck: list[Fault] = []
        self._stack = stack
        self._plan = plan
        self._on_fault = on_fault
        self._paused: set[int] = set()
        self._waking: set[asyncio.Task[None]] = set()
        self._started = monotonic()

    async def rage(self) -> None:
        """Carry out the plan; every pause has ended when it returns, or when it is cancelled."""
        self._started = monotonic()
        try:
            for fault in self._plan:
                await asyncio.sleep(max(0.0, self._started + fault.at_s - monotonic()))
                await self._strike(fault)
            await asyncio.gather(*self._waking)
        finally:
            for pid in list(self._paused):
                self._wake(pid)

    async def _strike(self, fault: Fault) -> None:
        """Wait until the target lives (it may be starting again), then strike it."""
        while (pid := self._stack.pids().get(fault.target)) is None:  # noqa: ASYNC110 -- the stack has no such event
            await asyncio.sleep(POLL_S)
        done = fault._replace(at_s=monotonic() - self._started)
        if fault.kind == "kill":
            self._stack.kill(fault.target)
        elif fault.kind == "terminate":
            os.kill(pid, signal.SIGTERM)
        else:
            os.kill(pid, signal.SIGSTOP)
            self._paused.add(pid)
            waking = asyncio.create_task(self._wake_after(pid, fault.seconds))
            self._waking.add(waking)
            waking.add_done_callback(self._waking.discard)
        self.struck.append(done)
        self._on_fault(done)

    async def _wake_after(self, pid: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._wake(pid)

    def _wake(self, pid: int) -> None:
        self._paused.discard(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
