"""How commands get their settings: the environment, completed by the sandbox of the state directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from core.settings import Settings, parse
from sandbox import endpoints


def state_dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--state-dir` to a command."""
    return click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Directory of the sandbox to use.  [default: STATE_DIR, or one for all commands]",
    )(function)


def load(state_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Parse the environment; where it names no Kafka or ClickHouse, take those of the running sandbox, if any.

    `state_dir` overrides STATE_DIR. Raises ConfigError.
    """
    given = dict(os.environ if environ is None else environ)
    if state_dir is not None:
        given["STATE_DIR"] = str(state_dir)
    found = endpoints.read(parse(given).state_dir)
    return parse({**found, **{name: value for name, value in given.items() if value}})


def moment(text: str | None, default: int) -> int:
    """Read an ISO time given to an option as epoch milliseconds; without a zone it is UTC. Raises BadParameter."""
    from datetime import UTC, datetime

    if text is None:
        return default
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no ISO time: write one such as 2025-10-09T07:27:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
