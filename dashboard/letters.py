"""Changes of dead letters: one after another, each to its end whether or not its page still waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal, Protocol

from core import logs
from dashboard.answers import Change

Kind = Literal["redrive", "discard"]
ENDING_S: Final = 1.0
_log = logs.get(__name__)


class Letters(Protocol):
    """Who changes letters. Both are safe to repeat; they raise ReceiptstreamError when Kafka or ClickHouse is away."""

    async def redrive(self, ids: Sequence[str]) -> list[Change]:
        """Send open letters again, each to the step that refused it; tell what every letter named is now."""

    async def discard(self, ids: Sequence[str]) -> list[Change]:
        """Mark open letters as of no use; tell what every letter named is now."""


class Work:
    """Hands changes on; `letters` None: this process has nobody who makes them."""

    def __init__(self, letters: Letters | None) -> None:
        self._letters = letters
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[list[Change]]] = set()

    @property
    def possible(self) -> bool:
        """Whether there is somebody who makes changes; without, every letter is unknown here."""
        return self._letters is not None

    async def run(self, kind: Kind, ids: Sequence[str]) -> list[Change]:
        """Make a change when its turn comes and return what became of each letter, in the order of `ids`."""
        task = asyncio.create_task(self._run(kind, list(dict.fromkeys(ids))))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _run(self, kind: Kind, ids: list[str]) -> list[Change]:
        if self._letters is None:
            return []
        async with self._turn:
            found = await (self._letters.redrive(ids) if kind == "redrive" else self._letters.discard(ids))
        became = {each.id: each for each in found}
        told = [became.get(letter) or Change(letter, "unknown", "there is no such letter") for letter in ids]
        _log.info("dead_letters", asked=kind, became={each.id: each.state for each in told})
        return told

    def _ended(self, task: asyncio.Task[list[Change]]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its page may have gone.
            _log.warning("dead_letters_not_changed", error=str(error))

    async def close(self) -> None:
        """Let what is under way end, if it does so soon; what is broken off is simply asked for again."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDING_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
