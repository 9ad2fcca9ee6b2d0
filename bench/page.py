"""The tables of docs/performance.md: `python -m bench.page` renews them from bench/results.

What is said beside them is written by hand, and read again when they change.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.output import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_TABLE = re.compile(r"(<!-- results:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str, folder: Path = RESULTS) -> str:
    """Return the page with the tables that were measured last."""

    def table(found: re.Match[str]) -> str:
        lines = (folder / f"{found[2]}.txt").read_text().splitlines()
        # Set in: a line that begins with `receipts` would be taken for a command.
        text = "\n".join(f"  {line}".rstrip() for line in lines)
        return f"{found[1]}```\n{text}\n```\n{found[3]}"

    return _TABLE.sub(table, page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
