"""Who owns which part of the spool directory: each process writes a slot of its own, held by a file lock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ingest.spool import segments

MAX_SLOTS = 256
_LOCK = "lock"


class Slot:
    """A folder `0`, `1`, … of the spool directory, ours until it is released or the process ends."""

    def __init__(self, folder: Path, lock_fd: int) -> None:
        self.folder = folder
        self._lock_fd = lock_fd

    def release(self) -> None:
        """Give the slot to whoever asks next."""
        os.close(self._lock_fd)


def claim(root: Path) -> Slot:
    """Take the first free slot. Raises OSError."""
    for number in range(MAX_SLOTS):
        slot = _try(root / str(number))
        if slot is not None:
            return slot
    raise OSError(f"all {MAX_SLOTS} slots of the spool are in use")


def adopt(root: Path) -> Slot | None:
    """Take a slot that holds events and has lost its owner, if there is one. Raises OSError."""
    if not root.is_dir():
        return None
    for folder in sorted(root.iterdir()):
        if folder.name.isdecimal() and segments.sizes(folder):
            slot = _try(folder)
            if slot is not None:
                return slot
    return None


def _try(folder: Path) -> Slot | None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:
        os.close(fd)
        raise
    segments.sync_folder(folder.parent)
    return Slot(folder, fd)
