"""Where the parts of a running sandbox listen: a small file in its state directory, read by every command."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

FILE = "endpoints.json"


def read(state_dir: Path) -> dict[str, str]:
    """Return the environment variables that name the sandbox's parts; empty when no sandbox ever ran here."""
    try:
        found = orjson.loads((state_dir / FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return {str(name): str(value) for name, value in found.items()}


def write(state_dir: Path, environ: dict[str, str]) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    target = state_dir / FILE
    draft = target.with_suffix(f".{os.getpid()}")
    draft.write_bytes(orjson.dumps(environ, option=orjson.OPT_INDENT_2))
    draft.replace(target)


def clear(state_dir: Path) -> None:
    """Remove the file: nothing listens any more."""
    (state_dir / FILE).unlink(missing_ok=True)
