"""One slot on disk: its writer and its backlog. Blocking, and for one thread at a time."""

from __future__ import annotations

from pathlib import Path

from core.clock import now_ms
from core.logs import get
from ingest.spool import segments
from ingest.spool.segments import Position, Writer
from ingest.spool.slots import Slot

log = get(__name__)


class Disk:
    """Appends payloads to a slot and reads them back, in order, until they are done."""

    def __init__(self, slot: Slot) -> None:
        """Read what is there. Raises OSError."""
        self._slot = slot
        self._folder: Path = slot.folder
        self._ends = segments.sizes(self._folder)
        self._done = segments.load_cursor(self._folder)
        self._read = self._done
        self._begun = {number: segments.begun_ms(self._folder, number) or 0 for number in self._ends}
        self._damaged: set[int] = set()
        self._forget(self._done.segment)
        self._writer = Writer(self._folder, max([self._done.segment, *self._ends]) + 1)

    @property
    def size(self) -> int:
        """Bytes of segments."""
        return sum(self._ends.values())

    @property
    def unread(self) -> bool:
        """Whether something is left to read."""
        return any(end > self._start_in(number) for number, end in self._ends.items())

    def _start_in(self, number: int) -> int:
        if number == self._read.segment:
            return self._read.offset
        return 0 if number > self._read.segment else self._ends[number]

    def oldest_ms(self) -> int | None:
        """Return when the oldest segment was begun, epoch milliseconds: none of its events came before."""
        return min(filter(None, self._begun.values()), default=None)

    def write(self, payloads: list[bytes]) -> list[Position]:
        """Append and fsync; returns the position behind each payload. Raises OSError: none of them is kept."""
        positions = self._writer.write(payloads)
        last = positions[-1]
        self._ends[last.segment] = last.offset
        self._begun.setdefault(last.segment, now_ms())
        return positions

    def read(self) -> tuple[list[tuple[Position, bytes]], Position]:
        """Read on: payloads with the position behind each, and the position to `commit` when all are done.

        Raises OSError.
        """
        for number in sorted(self._ends):
            start, end = self._start_in(number), self._ends[number]
            if end > start:
                piece = segments.read(self._folder, Position(number, start), end)
                self._read = piece.position
                if piece.damaged:
                    self._damaged.add(number)
                    log.error("spool bytes are damaged", segment=number, bytes=piece.damaged)
                return piece.frames, piece.position
        return [], self._read

    def rewind(self) -> None:
        """Read again what is not done."""
        self._read = self._done

    def commit(self, position: Position) -> None:
        """Note that everything before a position is done, and delete the segments that are. Raises OSError."""
        self._done = position
        try:
            segments.save_cursor(self._folder, position)
        except OSError as error:
            # A full disk: deleting is what helps. After a crash, what is done would be sent a second time.
            log.warning("the spool's cursor was not saved", error=error.strerror)
        done = position.segment
        if position.offset >= self._ends.get(done, 0):
            # The next write begins a new segment: this one can go, too.
            self._writer.close(done)
            done += 1
        self._forget(done)

    def set_aside(self, payload: bytes) -> None:
        """Keep a payload in a file of its own, for a person to look at. Raises OSError."""
        segments.write_once(self._folder, payload)

    def _forget(self, before: int) -> None:
        for number in [number for number in self._ends if number < before]:
            segments.remove(self._folder, number, damaged=number in self._damaged)
            del self._ends[number], self._begun[number]

    def close(self) -> None:
        """Give the slot back; what is not done stays for whoever takes it next."""
        self._writer.close()
        self._slot.release()
