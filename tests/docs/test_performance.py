"""docs/performance.md shows the tables that were measured last."""

from __future__ import annotations

import re
from pathlib import Path

from bench.page import PAGE, renewed


def test_the_tables_are_those_of_the_results() -> None:
    page = PAGE.read_text()
    assert set(re.findall(r"<!-- results:(\w+) -->", page)) == {
        *("processor", "volume", "ingress", "sink", "chain", "questions")
    }
    assert page == renewed(page), "run: python -m bench.page"


def test_a_new_result_is_noticed(tmp_path: Path) -> None:
    for name in re.findall(r"<!-- results:(\w+) -->", PAGE.read_text()):
        (tmp_path / f"{name}.txt").write_text("another\n")
    assert renewed(PAGE.read_text(), tmp_path) != PAGE.read_text()
