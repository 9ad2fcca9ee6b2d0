r"""The bytes of a segment: a head, then frames. Pure.

Head: `receipts-spool 1\n`, the epoch milliseconds of its making as u64, 8 random bytes: the segment's mark.
Frame: mark, length and CRC-32 (of length and payload) as u32, payload. All numbers are little-endian. The mark lets a
reader find the next good frame behind a damaged one; it is random, so that no event can carry a forged frame.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from zlib import crc32

MAGIC = b"receipts-spool 1\n"
MARK_SIZE = 8
_MOMENT = struct.Struct("<Q")
HEAD_SIZE = len(MAGIC) + _MOMENT.size + MARK_SIZE

_NUMBERS = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
FRAME_OVERHEAD = MARK_SIZE + _NUMBERS.size
MAX_PAYLOAD = 2**30


@dataclass(frozen=True, slots=True)
class Head:
    """What a segment begins with."""

    begun_ms: int
    """When the segment was begun, epoch milliseconds."""
    mark: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return MAGIC + _MOMENT.pack(self.begun_ms) + self.mark


def new_head(now_ms: int) -> Head:
    """Return the head of a new segment."""
    return Head(now_ms, os.urandom(MARK_SIZE))


def decode_head(data: bytes) -> Head | None:
    """Read a head, None when it is none."""
    if len(data) < HEAD_SIZE or not data.startswith(MAGIC):
        return None
    return Head(_MOMENT.unpack_from(data, len(MAGIC))[0], data[HEAD_SIZE - MARK_SIZE : HEAD_SIZE])


def encode(mark: bytes, payload: bytes) -> bytes:
    """Return a frame."""
    return b"".join((mark, _NUMBERS.pack(len(payload), _checksum(payload)), payload))


def _checksum(payload: bytes) -> int:
    return crc32(payload, crc32(_LENGTH.pack(len(payload))))


@dataclass(frozen=True, slots=True)
class Scan:
    """What a piece of a segment holds. Offsets count from the start of the piece."""

    frames: list[tuple[int, bytes]]
    """(offset behind the frame, payload) of each good frame, in order."""
    consumed: int
    """Bytes that need not be read again."""
    damaged: int
    """Bytes that belong to no good frame."""
    needed: int
    """Bytes a piece must have to hold the next frame, 0 when that is not known."""


def scan(mark: bytes, data: bytes, *, last: bool) -> Scan:
    """Find the frames of a piece that begins at a frame's start.

    `last` tells that nothing follows: what is incomplete then is damaged (a torn write), else it is left for later.
    """
    frames: list[tuple[int, bytes]] = []
    damaged = at = 0
    while at < len(data):
        end = _frame_end(mark, data, at)
        if end is None or (end > len(data) and last):
            following = _resume(mark, data, at, last=last)
            damaged += following - at
            at = following
            if not last and at > len(data) - FRAME_OVERHEAD:
                break
            continue
        if end > len(data):
            return Scan(frames, at, damaged, end - at)
        payload = data[at + FRAME_OVERHEAD : end]
        if _NUMBERS.unpack_from(data, at + MARK_SIZE)[1] != _checksum(payload):
            following = _resume(mark, data, at, last=last)
            damaged += following - at
            at = following
            continue
        frames.append((end, payload))
        at = end
    return Scan(frames, at, damaged, 0)


def _frame_end(mark: bytes, data: bytes, at: int) -> int | None:
    """Return where the frame at `at` ends (perhaps behind the data), None when no frame begins there."""
    if at + FRAME_OVERHEAD > len(data):
        return at + FRAME_OVERHEAD if mark.startswith(data[at : at + MARK_SIZE]) else None
    if data[at : at + MARK_SIZE] != mark:
        return None
    length = _NUMBERS.unpack_from(data, at + MARK_SIZE)[0]
    return at + FRAME_OVERHEAD + length if length <= MAX_PAYLOAD else None


def _resume(mark: bytes, data: bytes, at: int, *, last: bool) -> int:
    """Return the offset of the next mark behind `at`, or how far there is certainly none."""
    found = data.find(mark, at + 1)
    if found >= 0:
        return found
    return len(data) if last else max(at + 1, len(data) - MARK_SIZE + 1)
