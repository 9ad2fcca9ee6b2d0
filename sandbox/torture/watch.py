"""What a run looks like from outside, every few seconds: memory, open files, lag, answers; a file of it, and a plot."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import psutil

from core.clock import now_ms
from core.errors import ReceiptstreamError
from core.kafka import Kafka
from core.lag import lags
from sandbox.torture.answers import Answers
from sandbox.torture.hosted import Hosted
from schemas import topics

MIB = 1 << 20
ASK_S = 10.0
P50, P99 = 0.50, 0.99


class Process(NamedTuple):
    """One process: its resident memory in MiB, and how many files and sockets it has open."""

    mib: float
    files: int


class Sample(NamedTuple):
    """One look. `lag` is None while Kafka does not answer; the latencies (ms) are None where nothing was answered."""

    at_s: float
    processes: dict[str, Process]
    lag: int | None
    answers: int
    p50_ms: float | None
    p99_ms: float | None


class Watch:
    """Looks at a stack every `every_s` seconds until it is cancelled."""

    def __init__(self, stack: Hosted, answers: Answers, every_s: float = 5.0) -> None:
        self.samples: list[Sample] = []
        self._stack = stack
        self._answers = answers
        self._every_s = every_s
        self._began = monotonic()

    async def look_forever(self) -> None:
        """Look again and again."""
        while True:
            self.samples.append(await self.look())
            await asyncio.sleep(self._every_s)

    async def look(self) -> Sample:
        """Look once."""
        recent = self._answers.take_recent()
        return Sample(
            monotonic() - self._began,
            {name: found for name, pid in self._stack.pids().items() if (found := _process(pid)) is not None},
            await lag(self._stack.settings),
            len(recent),
            _quantile(recent, P50),
            _quantile(recent, P99),
        )

    async def caught_up(self, patience_s: float) -> float:
        """Wait until nothing waits in Kafka; returns after how many seconds. Raises ReceiptstreamError."""
        began = monotonic()
        while (left := await lag(self._stack.settings)) != 0:
            if monotonic() - began > patience_s:
                waiting = "an unknown number of" if left is None else f"{left:,}"
                raise ReceiptstreamError(f"{waiting} records still wait {patience_s:.0f} s after the last fault")
            await asyncio.sleep(0.5)
        return monotonic() - began

    def write(self, file: Path) -> None:
        """Write all samples as CSV."""
        names = sorted({name for sample in self.samples for name in sample.processes})
        with file.open("w", newline="") as text:
            rows = csv.writer(text)
            columns = [column for name in names for column in (f"{name} MiB", f"{name} files")]
            rows.writerow(["seconds", "lag", "answers", "p50 ms", "p99 ms", *columns])
            for one in self.samples:
                own = [one.processes.get(name) or ("", "") for name in names]
                first = (f"{one.at_s:.1f}", one.lag, one.answers, one.p50_ms, one.p99_ms)
                rows.writerow(
                    ["" if value is None else value for value in (*first, *(v for pair in own for v in pair))]
                )


async def lag(kafka: Kafka) -> int | None:
    """Return how many records wait for any group; None while Kafka does not tell."""

    def ours(group: str) -> bool:
        return group == topics.APP_ID or group.startswith(f"{topics.APP_ID}-")

    with suppress(ReceiptstreamError, TimeoutError):
        async with asyncio.timeout(ASK_S):
            return sum(one.lag for one in await lags(kafka, ours, lambda _: 0, now_ms()))
    return None


def _process(pid: int) -> Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        with process.oneshot():
            return Process(round(process.memory_info().rss / MIB, 1), process.num_fds())
    return None


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return a quantile of sorted seconds in ms."""
    return round(1000 * ordered[int(share * (len(ordered) - 1))], 1) if ordered else None
