"""The spool of this process: group commit to disk, and the way back. All its files are touched by one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core import metrics
from core.logs import get
from ingest.spool import slots
from ingest.spool.disk import Disk
from ingest.spool.segments import Position

log = get(__name__)

MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""Bytes that may wait for a disk that does not answer."""

Ticket = asyncio.Future[bool]
"""The answer that Kafka still owes for the same events: True once it has them all."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    payload: bytes
    ticket: Ticket | None
    kept: asyncio.Future[bool]


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was read: payloads in order, each with the answer Kafka may still owe; `position` is for `commit`."""

    items: list[tuple[bytes, Ticket | None]]
    position: Position


class Spool:
    """One slot of the spool directory."""

    def __init__(self, root: Path, max_bytes: int, *, adopt: bool = False) -> None:
        """Name the directory and a slot's limit; with `adopt`, take over a slot that lost its owner."""
        self._root = root
        self._claim = slots.adopt if adopt else slots.claim
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._disk: Disk | None = None
        self._queue: list[_Waiting] = []
        self._queued_bytes = 0
        self._flushing: asyncio.Task[None] | None = None
        self._tickets: dict[Position, Ticket] = {}
        self._unread = asyncio.Event()
        self.max_bytes = max_bytes
        """Most bytes on disk."""
        self.size = 0
        """Bytes on disk."""
        self.oldest_ms: int | None = None
        """About when the oldest event came, epoch milliseconds; None when there is none."""
        self.fault = ""
        """Why the disk could not be used last, '' when it could."""

    @property
    def full(self) -> bool:
        """Whether nothing more is taken."""
        return self.size + self._queued_bytes >= self.max_bytes

    @property
    def unread(self) -> bool:
        """Whether something on disk waits to be read."""
        return self._unread.is_set()

    @property
    def writing(self) -> bool:
        """Whether something waits to be written."""
        return self._flushing is not None

    @property
    def pending(self) -> bool:
        """Whether something was appended that was not read: what comes now has to come behind it."""
        return self.unread or self.writing

    async def open(self) -> bool:
        """Take a slot and look what is in it; tell whether that succeeded."""
        try:
            disk = await self._in_thread(self._open)
            if disk is not None:
                self._disk = disk
                await self._do(lambda _: None)
        except OSError as error:
            self._failed(error)
            return False
        return disk is not None

    def _open(self) -> Disk | None:
        slot = self._claim(self._root)
        return None if slot is None else Disk(slot)

    async def close(self) -> None:
        """Write what waits, and give the slot back."""
        await self.flushed()
        if self._disk is not None:
            await self._in_thread(self._disk.close)
            self._disk = None
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _do(self, work: Callable[[Disk], T]) -> T:
        """Let the thread work on the disk, and learn how the disk is then. Raises OSError."""
        disk = self._disk
        if disk is None:
            raise OSError("the spool is not open")

        def job() -> tuple[T, int, int | None, bool]:
            return work(disk), disk.size, disk.oldest_ms(), disk.unread

        result, self.size, self.oldest_ms, unread = await self._in_thread(job)
        if unread:
            self._unread.set()
        else:
            self._unread.clear()
        return result

    def _failed(self, error: OSError) -> None:
        self.fault = error.strerror or str(error)
        log.error("the spool cannot be used", error=self.fault)

    def append(self, payload: bytes, ticket: Ticket | None = None) -> asyncio.Future[bool]:
        """Keep a payload; the future is True once it is fsynced, False when it is not kept.

        `read` hands the ticket back beside the payload. Cancelling the future gives up waiting.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        size = len(payload)
        queue_is_long = bool(self._queue) and self._queued_bytes + size > MAX_QUEUED_BYTES
        if queue_is_long or self.size + self._queued_bytes + size > self.max_bytes:
            kept.set_result(False)
            return kept
        self._queue.append(_Waiting(payload, ticket, kept))
        self._queued_bytes += size
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return kept

    async def _flush(self) -> None:
        """Write what waits; what comes meanwhile shares the next write."""
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                await self._write([waiting for waiting in batch if not waiting.kept.done()])
                self._queued_bytes -= sum(len(waiting.payload) for waiting in batch)
        finally:
            self._flushing = None

    async def _write(self, batch: list[_Waiting]) -> None:
        positions = await self._written([waiting.payload for waiting in batch]) if batch else []
        for waiting, position in zip(batch, positions, strict=False):
            if waiting.ticket is not None:
                self._tickets[position] = waiting.ticket
        for waiting in batch:
            if not waiting.kept.done():
                waiting.kept.set_result(bool(positions))

    async def _written(self, payloads: list[bytes]) -> list[Position]:
        """Return the position behind each payload once they are fsynced; none when they are not."""
        try:
            if self._disk is None:
                await self.open()
            positions = await self._do(lambda disk: disk.write(payloads))
        except OSError as error:
            self._failed(error)
            return []
        self.fault = ""
        return positions

    async def flushed(self) -> None:
        """Return when nothing waits to be written."""
        while self._flushing is not None:
            await asyncio.wait({self._flushing})

    async def set_aside(self, payload: bytes) -> None:
        """Keep what no topic takes in a file of its own, durably. Raises OSError."""
        if self._disk is None:
            await self.open()
        await self._do(lambda disk: disk.set_aside(payload))
        metrics.INGEST_SPOOL.labels("set_aside").inc()
        log.error("events that no topic takes were set aside on disk", bytes=len(payload))

    async def wait(self) -> None:
        """Return when something on disk waits to be read."""
        await self._unread.wait()

    async def read(self) -> Chunk:
        """Read on. Raises OSError."""
        frames, position = await self._do(lambda disk: disk.read())
        return Chunk([(payload, self._tickets.get(at)) for at, payload in frames], position)

    async def rewind(self) -> None:
        """Read again what is not done. Raises OSError."""
        await self._do(lambda disk: disk.rewind())

    async def commit(self, position: Position) -> None:
        """Note that everything before a position is done. Raises OSError."""
        await self._do(lambda disk: disk.commit(position))
        for at in [at for at in self._tickets if at <= position]:
            del self._tickets[at]
