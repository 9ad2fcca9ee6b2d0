"""The first step of every child of the supervisor: tie its life to the supervisor's, then become the role.

`python -P -m sandbox.tether PARENT_PID ROLE…` is `receipts ROLE…` in a process that dies when its parent does, even
when the parent is killed with SIGKILL: no orphan keeps a port or a file. `PARENT_PID --clock FILE ROLE…` also lets it
follow a clock that tests move.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from sandbox.shift import follow

PR_SET_PDEATHSIG = 1
POLL_S = 0.5


def tie(parent: int) -> None:
    """Arrange that this process is killed when `parent`, which started it, is gone."""
    if sys.platform == "linux":
        # Kept across exec, so that it holds for the program that the role becomes.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Read the parent's pid, tie, and run the command line that follows it."""
    tie(int(sys.argv[1]))
    rest = sys.argv[2:]
    if rest[0] == "--clock":
        follow(Path(rest[1]))
        rest = rest[2:]
    sys.argv = ["receipts", *rest]
    from cli.main import main as receipts  # noqa: PLC0415 - the tie comes first: imports take a while

    receipts()


if __name__ == "__main__":
    main()
