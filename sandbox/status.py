"""What `receipts ps` shows, kept in the state directory: every instance, its process, its port."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from sandbox.locks import Lock

FILE = "sandbox.json"
LOCK = "sandbox.lock"
GONE_S = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One instance. `created` is the process's creation time, epoch seconds, 0 where there is no process."""

    role: str
    pid: int | None
    state: str
    restarts: int
    address: str
    port: int
    created: float = 0.0


def write(state_dir: Path, rows: list[Row]) -> None:
    """Replace the file in one step."""
    target = state_dir / FILE
    draft = target.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(rows))
    draft.replace(target)


def read(state_dir: Path) -> list[Row]:
    """Return what was written last; empty when nothing ever was."""
    try:
        return msgspec.json.decode((state_dir / FILE).read_bytes(), type=list[Row])
    except (OSError, msgspec.MsgspecError):
        return []


def current(state_dir: Path) -> list[Row]:
    """Return the rows as they are now: without a living supervisor nothing runs, whatever it wrote last."""
    rows = read(state_dir)
    if supervised(state_dir):
        return rows
    return [
        Row(row.role, None, "stopped", row.restarts, row.address, row.port) if process(row) is None else row
        for row in rows
    ]


def supervised(state_dir: Path) -> bool:
    """Tell whether a supervisor holds the state directory."""
    if not (state_dir / LOCK).exists():
        return False
    lock = Lock(state_dir / LOCK)
    if lock.acquire(mark=False):
        lock.release()
        return False
    return True


def process(row: Row) -> psutil.Process | None:
    """Return the living process of a row: the pid may belong to another one by now."""
    if row.pid is None:
        return None
    try:
        found = psutil.Process(row.pid)
        same = abs(found.create_time() - row.created) < 0.01  # noqa: PLR2004 - clock ticks
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def clear_orphans(state_dir: Path) -> list[str]:
    """Kill what a supervisor left behind when it was killed; return the roles."""
    left = [(row.role, found) for row in read(state_dir) if (found := process(row)) is not None]
    for _, found in left:
        found.kill()
    psutil.wait_procs([found for _, found in left], timeout=GONE_S)
    return [role for role, _ in left]
