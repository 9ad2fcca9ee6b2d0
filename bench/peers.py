"""An interpreter with what the product is measured against and cannot share its environment (bench/peers.txt).

They ask for older releases of packages that the product uses, so they get a virtual environment of their own, once.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_path

WANTED = Path(__file__).with_name("peers.txt")


class PeersMissingError(Exception):
    """They cannot be had here: says why."""


def interpreter() -> str:
    """Return the interpreter's path, its environment made when there is none yet."""
    name = sha256(WANTED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = user_cache_path("receiptstream") / f"bench-peers-{name}"
    python, done = folder / "bin" / "python", folder / "done"
    if not done.exists():
        for arguments in (
            (sys.executable, "-m", "venv", str(folder)),
            (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(WANTED)),
        ):
            ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise PeersMissingError(f"not installed: {ended.stderr.strip().splitlines()[-1]}")
        done.touch()
    return str(python)
