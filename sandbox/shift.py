"""A clock that is wrong: one process of the sandbox sees the system's clock moved, and the mover may change his mind.

Only the sandbox's tether follows such a file, before the role's own code is loaded: no role knows of it, and nothing
that is configured in production can move a clock. What reads the clock in C (the warehouse's engine, Kafka's Java)
does not see it; the monotonic clock, as in reality, never moves.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from struct import Struct

_MS = 1_000_000
_WORD = Struct("<q")
"""The file: by how many nanoseconds."""


def make(file: Path) -> None:
    """Make the file of a clock that is right."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_WORD.pack(0))


def move(file: Path, ms: int) -> None:
    """Move the clock of whoever follows the file to so many milliseconds from the system's."""
    with file.open("r+b") as clock:
        clock.write(_WORD.pack(ms * _MS))


def follow(file: Path) -> None:
    """Let `time.time` and `time.time_ns` of this process tell the moved clock, from now on."""
    with file.open("rb") as clock:
        shown = mmap.mmap(clock.fileno(), _WORD.size, prot=mmap.PROT_READ)
    real, read = time.time_ns, _WORD.unpack_from

    def time_ns() -> int:
        return real() + int(read(shown)[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
