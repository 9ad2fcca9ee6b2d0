"""The tables of docs/performance.md: `python -m bench.page` renews them from bench/results.

What is said beside them is written by hand, and read again when they change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.output import RESULTS

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
SHOWN: Final = ("processor", "volume", "ingress", "sink", "chain", "questions")


def filled(page: str, kind: str, made: Mapping[str, str]) -> str:
    """Return a page with each text put between its marks. Raises ValueError where a mark is missing, or twice there."""
    for name, text in made.items():
        mark = re.compile(rf"(<!-- {kind}:{name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(mark.findall(page)) != 1:
            raise ValueError(f"the page has not one place for the table {name}")
        page = mark.sub(lambda place, text=text: f"{place[1]}{text}\n{place[2]}", page)  # type: ignore[misc]
    return page


def renewed(page: str, folder: Path = RESULTS) -> str:
    """Return the page with the tables that were measured last."""
    return filled(page, "results", {name: _table((folder / f"{name}.txt").read_text()) for name in SHOWN})


def _table(text: str) -> str:
    # Set in: a line that begins with `receipts` would be taken for a command.
    lines = [f"  {line}".rstrip() for line in text.splitlines()]
    return "\n".join(["```", *lines, "```"])


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
