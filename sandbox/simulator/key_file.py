"""The answer key as a file: what was sent, and what must be true afterwards (`docs/simulator.md`)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson

from core.clock import iso
from core.errors import ConfigError
from sandbox.answer_key import AnswerKey
from sandbox.simulator.client import Outcome
from sandbox.simulator.config import Traffic

FORMAT = 1


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before any traffic is sent. Raises ConfigError."""
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise ConfigError(f"--answer-key {path}: {error.strerror}", fix="Name a file that can be written") from None


def write(path: Path, traffic: Traffic, outcome: Outcome, key: AnswerKey) -> None:
    """Write the file."""
    document = {
        "format": FORMAT,
        "now": iso(traffic.now_ms),
        "traffic": asdict(traffic),
        "sent": asdict(outcome),
        "duplicates_certain": outcome.retries == 0,
        "ledger": key.ledger,
        "tables": key.tables,
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
