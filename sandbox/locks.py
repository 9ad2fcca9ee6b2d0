"""File locks that the kernel gives back when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.05


class Lock:
    """An exclusive lock on a file whose text is the holder's pid; kept until `release` or the process's end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, wait_s: float = 0.0, inheritable: bool = False, mark: bool = True) -> bool:
        """Take the lock, waiting up to `wait_s`; tell whether it was taken.

        `inheritable` keeps it held by the program that replaces this process with exec. Without `mark` the pid in
        the file stays as it is.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_s
        while not _try(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                return False
            time.sleep(POLL_S)
        if mark:
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        os.set_inheritable(fd, inheritable)
        self._fd = fd
        return True

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> str:
        """Return the pid that the last holder wrote, `unknown` when it cannot be read."""
        try:
            return self.path.read_text().strip() or "unknown"
        except OSError:
            return "unknown"


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold a lock while the context lasts. Raises TimeoutError when it was not given in time."""
    lock = Lock(path)
    if not lock.acquire(wait_s=wait_s):
        raise TimeoutError(f"{path} is held by process {lock.holder()}")
    try:
        yield
    finally:
        lock.release()
