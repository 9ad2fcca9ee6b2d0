"""The live stream's middle: what came lately, and the viewers. Pure but for asyncio's queues.

Memory is bounded on all sides: so many events are kept for viewers that come back, each viewer may fall so many frames
behind and is then cut off (the browser connects again and says where it stood), and so many viewers are let in. All
viewers share the bytes of a frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from dashboard import positions
from dashboard.positions import Place

KEPT: Final = 2000
BEHIND: Final = 32
MOST_VIEWERS: Final = 1000


class Event(msgspec.Struct, frozen=True, gc=False):
    """The newest record of a key in its moment: where it stands, and its JSON."""

    kind: str
    partition: int
    offset: int
    data: msgspec.Raw

    @property
    def place(self) -> Place:
        """Letter and partition."""
        return self.kind[0], self.partition


@dataclass(eq=False, slots=True)
class Viewer:
    """One open page: frames on their way to it, None at the end. `cut`: it was too slow."""

    frames: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(BEHIND))
    cut: bool = False

    def end(self) -> None:
        """Let nothing more be written; what waits is forgotten."""
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait(None)


def frame(event: str, data: bytes, identity: str = "") -> bytes:
    """Write one server-sent event; `data` holds no line end, as JSON does not."""
    line = f"id: {identity}\n" if identity else ""
    return f"{line}event: {event}\ndata: ".encode() + data + b"\n\n"


class Hub:
    """Hands every frame to every viewer."""

    def __init__(self, kept: int = KEPT) -> None:
        self._most = kept
        self._kept: deque[Event] = deque()
        self._first: dict[Place, int] = {}
        self._next: dict[Place, int] = {}
        self._viewers: set[Viewer] = set()
        self._closed = False
        self.cut_off = 0

    @property
    def viewers(self) -> int:
        """How many look now."""
        return len(self._viewers)

    def next_of(self, place: Place) -> int | None:
        """Return the offset after the last one read of a partition, None before the first `begin`."""
        return self._next.get(place)

    def begin(self, places: dict[Place, int]) -> None:
        """Say from which offset on each partition is read; all that was kept before goes, and viewers ask anew."""
        anew = bool(self._first)
        self._kept.clear()
        self._first, self._next = dict(places), dict(places)
        if anew:
            self._send(frame("reset", b"{}", self._identity()))

    def publish(self, events: list[Event], ends: dict[Place, int]) -> None:
        """Keep events in the order read and hand them out as one frame; `ends` are the offsets read up to."""
        self._next.update(ends)
        self._kept.extend(events)
        while len(self._kept) > self._most:
            gone = self._kept.popleft()
            self._first[gone.place] = gone.offset + 1
        if events:
            self._send(self._frame(events))

    def status(self, data: bytes) -> None:
        """Tell every viewer how the stream itself does."""
        self._send(frame("status", data))

    def join(self, last_id: str) -> tuple[Viewer, bytes] | None:
        """Let a viewer in: returns it and its first frame (what it missed). None when there are too many."""
        if self._closed or len(self._viewers) >= MOST_VIEWERS:
            return None
        viewer = Viewer()
        self._viewers.add(viewer)
        return viewer, self._hello(last_id)

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self._viewers.discard(viewer)

    def cut(self, viewer: Viewer) -> None:
        """Give up a viewer that is too slow."""
        self.cut_off += 1
        viewer.cut = True
        viewer.end()
        self._viewers.discard(viewer)

    def close(self) -> None:
        """End every connection."""
        self._closed = True
        for viewer in self._viewers:
            viewer.end()

    def _hello(self, last_id: str) -> bytes:
        if not last_id:
            return frame("hello", b"{}", self._identity())
        stood = positions.read(last_id)
        if stood is None or stood.keys() != self._first.keys() or any(stood[p] < self._first[p] for p in stood):
            return frame("reset", b"{}", self._identity())
        missed = [event for event in self._kept if event.offset >= stood[event.place]]
        return self._frame(missed) if missed else frame("hello", b"{}", self._identity())

    def _identity(self) -> str:
        return positions.write(self._next)

    def _frame(self, events: Iterable[Event]) -> bytes:
        kinds: dict[str, list[msgspec.Raw]] = {}
        for event in events:
            kinds.setdefault(event.kind, []).append(event.data)
        return frame("update", msgspec.json.encode(kinds), self._identity())

    def _send(self, content: bytes) -> None:
        for viewer in list(self._viewers):
            try:
                viewer.frames.put_nowait(content)
            except asyncio.QueueFull:
                self.cut(viewer)
