"""The linter's security rules hold for everything that runs: no folder is let off, and each line let off says why."""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("core", "schemas", "ingest", "processors", "sinks", "dashboard", "sandbox", "cli")
LINT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
SECURITY = re.compile(r"ALL|S\d*")
"""ruff's name of flake8-bandit's rules, and of all rules."""
LET_OFF = re.compile(r"#\s*noqa(?::\s*(?P<rules>[A-Z0-9, ]+?))?\s*(?P<why>--?\s*\S.*)?$")


def let_off(lint: dict[str, Any]) -> set[str]:
    """Return the security rules that product folders are let off as a whole."""
    globally = set(lint["ignore"])
    by_file = {
        rule
        for pattern, rules in lint["per-file-ignores"].items()
        for rule in rules
        if any(pattern.startswith((folder, "*")) for folder in PRODUCT)
    }
    return {rule for rule in globally | by_file if SECURITY.fullmatch(rule)}


def without_reason(text: str) -> Iterator[int]:
    """Yield the lines that are let off a security rule, or every rule, and do not say why."""
    lines = iter(text.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        found = LET_OFF.search(token.string) if token.type == tokenize.COMMENT else None
        if found is None or found["why"]:
            continue
        rules = [rule.strip() for rule in (found["rules"] or "ALL").split(",")]
        if any(SECURITY.fullmatch(rule) for rule in rules):
            yield token.start[0]


def test_no_product_folder_is_let_off() -> None:
    assert LINT["select"] == ["ALL"]
    # Hosts come from settings, whose defaults are loopback.
    assert let_off(LINT) == {"S104"}


def test_a_folder_that_is_let_off_is_noticed() -> None:
    given = LINT["per-file-ignores"]
    assert let_off({**LINT, "per-file-ignores": {**given, "sinks/**": ["S608"]}}) == {"S104", "S608"}
    assert let_off({**LINT, "per-file-ignores": {**given, "**/*.py": ["S"]}}) == {"S104", "S"}


def test_each_line_that_is_let_off_says_why() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in PRODUCT
        for path in sorted((ROOT / folder).rglob("*.py"))
        for _ in without_reason(path.read_text())
    ]
    # A query made of names that stand in the same file.
    assert silent == ["sandbox/demo/actual.py"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("x = 1  # noqa", [1]),
        ("x = 1  # noqa: S608", [1]),
        ("x = 1  # noqa: E501, S603", [1]),
        ("x = 1  # noqa: S608 -- our own names", []),
        ("x = 1  # noqa: SLF001", []),
        ('x = "# noqa: S608"', []),
    ],
)
def test_a_line_without_a_reason_is_noticed(line: str, found: list[int]) -> None:
    assert list(without_reason(line + "\n")) == found


def test_the_linter_finds_what_these_rules_are_for(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import subprocess\n\nsubprocess.run('ls ' + input(), shell=True)\n")
    found = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(bad)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "S602" in found.stdout
