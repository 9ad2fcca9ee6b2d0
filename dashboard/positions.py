"""Where a viewer stands in the live topics: the next offset of each partition, as text for Last-Event-ID. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Place = tuple[str, int]
"""A topic's letter and a partition."""
Positions = Mapping[Place, int]
LONGEST: Final = 100_000
_PART: Final = re.compile(r"([a-z])(\d{1,5})-(\d{1,18})", re.ASCII)


def write(positions: Positions) -> str:
    """Return `a0-12.w0-7`: letter, partition, next offset."""
    return ".".join(f"{letter}{partition}-{offset}" for (letter, partition), offset in sorted(positions.items()))


def read(text: str) -> dict[Place, int] | None:
    """Undo `write`; None when it is none of ours."""
    if not text or len(text) > LONGEST:
        return None
    matches = [_PART.fullmatch(part) for part in text.split(".")]
    return {(match[1], int(match[2])): int(match[3]) for match in matches if match} if all(matches) else None
