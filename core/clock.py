"""The one place that reads the wall clock. Everything that decides takes the time as a parameter."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the wall clock as epoch milliseconds (UTC)."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """Format epoch milliseconds as ISO 8601 with milliseconds and Z."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
