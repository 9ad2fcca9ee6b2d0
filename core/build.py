"""Which build runs: its version, and whether the modules of the event path are compiled (see setup.py)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from core import clock

COMPILED: Final = not clock.__file__.endswith(".py")
"""All of them are, or none: core/clock.py is one of them."""
KIND: Final = "compiled" if COMPILED else "not compiled"


def version_text() -> str:
    """Return the version of the installed package; `unknown` where it is not installed."""
    try:
        return version("receiptstream")
    except PackageNotFoundError:
        return "unknown"


def describe() -> str:
    """Return version and kind of build for a person."""
    return f"{version_text()} ({KIND})"
