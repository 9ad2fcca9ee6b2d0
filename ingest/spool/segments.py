"""The files of a spool: segments that are only ever appended to, and the cursor of what is done. Blocking."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from core.clock import now_ms
from ingest.spool import frame

SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment that has grown past this is followed by a new one."""

READ_BYTES = 1024 * 1024
_SUFFIX = ".segment"
_DAMAGED = ".damaged"
_ASIDE = ".aside"
_CURSOR = "cursor"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the spool: segment number and offset within its file."""

    segment: int
    offset: int


START = Position(0, 0)


def path_of(folder: Path, number: int) -> Path:
    """Return the file of a segment."""
    return folder / f"{number:016d}{_SUFFIX}"


def sizes(folder: Path) -> dict[int, int]:
    """Return the size of each segment by its number, in order."""
    found = {int(path.stem): path.stat().st_size for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal()}
    return dict(sorted(found.items()))


def begun_ms(folder: Path, number: int) -> int | None:
    """Return when a segment was begun, None when it does not tell. Raises OSError."""
    with path_of(folder, number).open("rb") as file:
        head = frame.decode_head(file.read(frame.HEAD_SIZE))
    return None if head is None else head.begun_ms


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Writer:
    """Appends frames. After any error the segment is left as it is, and the next write begins a new one."""

    def __init__(self, folder: Path, next_number: int) -> None:
        self._folder = folder
        self._next_number = next_number
        self._fd: int | None = None
        self._mark = b""
        self._number = 0
        self._size = 0

    def write(self, payloads: list[bytes]) -> list[Position]:
        """Append payloads and fsync; returns the position behind each. Raises OSError: none of them is durable."""
        try:
            if self._fd is None or self._size >= SEGMENT_BYTES:
                self._begin()
            positions = []
            size = self._size
            for payload in payloads:
                data = frame.encode(self._mark, payload)
                self._append(data)
                size += len(data)
                positions.append(Position(self._number, size))
            assert self._fd is not None  # noqa: S101 -- _begin opened it
            os.fdatasync(self._fd)
        except OSError:
            self._give_up()
            raise
        self._size = size
        return positions

    def _give_up(self) -> None:
        """Leave the segment with what is durable in it; what cannot be cut off is found and sent at a restart."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
        self.close()

    def _begin(self) -> None:
        """Begin a segment whose name is durable before anything in it is."""
        self.close()
        number, self._next_number = self._next_number, self._next_number + 1
        self._size = 0
        head = frame.new_head(now_ms())
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path_of(self._folder, number), flags, 0o600)
        self._append(head.encode())
        os.fsync(self._fd)
        sync_folder(self._folder)
        self._mark, self._number, self._size = head.mark, number, frame.HEAD_SIZE

    def _append(self, data: bytes) -> None:
        assert self._fd is not None  # noqa: S101 -- opened by the caller
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self, number: int | None = None) -> None:
        """Close the segment (only if it is `number`, where that is given); a later write begins a new one."""
        if self._fd is not None and number in (None, self._number):
            os.close(self._fd)
            self._fd = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read from one segment: payloads with the position behind each, and what was no frame."""

    frames: list[tuple[Position, bytes]]
    position: Position
    """Where to go on reading."""
    damaged: int


def read(folder: Path, position: Position, end: int) -> Piece:
    """Read about READ_BYTES of a segment from `position` up to the offset `end`, where no frame is under way.

    Raises OSError.
    """
    with path_of(folder, position.segment).open("rb") as file:
        head = frame.decode_head(file.read(frame.HEAD_SIZE))
        if head is None:
            return Piece([], Position(position.segment, end), end)
        start = max(position.offset, frame.HEAD_SIZE)
        size = READ_BYTES
        while True:
            file.seek(start)
            data = file.read(min(size, end - start))
            last = start + len(data) >= end
            found = frame.scan(head.mark, data, last=last)
            if last or found.consumed:
                break
            size = max(size * 2, found.needed)
        frames = [(Position(position.segment, start + offset), payload) for offset, payload in found.frames]
        return Piece(frames, Position(position.segment, start + found.consumed), found.damaged)


def remove(folder: Path, number: int, *, damaged: bool) -> None:
    """Delete a segment that is done; a damaged one is kept under another name, for it may hold what was not read."""
    path = path_of(folder, number)
    if damaged:
        path.replace(path.with_suffix(_DAMAGED))
    else:
        path.unlink(missing_ok=True)


def write_once(folder: Path, payload: bytes) -> None:
    """Write a payload to a new file, durably. Raises OSError."""
    fd, name = tempfile.mkstemp(dir=folder, prefix="draft-")
    with os.fdopen(fd, "wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(fd)
    Path(name).replace(folder / f"{now_ms()}-{crc32(payload):08x}{_ASIDE}")
    sync_folder(folder)


def load_cursor(folder: Path) -> Position:
    """Return the position that was saved last, the start when there is none that can be read."""
    try:
        text, checksum = (folder / _CURSOR).read_text().rsplit(" ", 1)
        segment, offset = map(int, text.split(" "))
    except (OSError, ValueError):
        return START
    return Position(segment, offset) if int(checksum) == crc32(text.encode()) else START


def save_cursor(folder: Path, position: Position) -> None:
    """Replace the cursor in one step. Not fsynced: after a power cut some events are sent a second time."""
    text = f"{position.segment} {position.offset}"
    draft = folder / f"{_CURSOR}.new"
    draft.write_text(f"{text} {crc32(text.encode())}")
    draft.replace(folder / _CURSOR)
