"""The rooms of the project meet only at topics, tables and HTTP: no import may cross a wall."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "core": {"core"},
    "schemas": {"core", "schemas"},
    "ingest": {"core", "schemas", "ingest"},
    "processors": {"core", "schemas", "processors"},
    "sinks": {"core", "schemas", "sinks"},
    "dashboard": {"core", "schemas", "dashboard"},
}
OPEN = {"sandbox", "cli", "bench", "tests"}
OURS = MAY_IMPORT.keys() | OPEN


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and top package of every import, wherever it stands in the module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def modules(package: str) -> list[Path]:
    """Return the package's modules."""
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_stay_in_their_room(package: str) -> None:
    """A package imports of ours only what its row allows; relative imports would hide it."""
    crossing = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for line, name in imported(path.read_text())
        if name in OURS - MAY_IMPORT[package]
    ]
    assert not crossing
    assert modules(package), f"{package} is not where this test looks"


def test_only_entry_points_read_the_environment() -> None:
    """`os.environ` and `os.getenv` are read in cli/ alone: everything else is told by its settings."""
    reading = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in [*MAY_IMPORT, "sandbox"]
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "environb"}
    ]
    assert not reading


def test_one_module_reads_the_clock() -> None:
    """The wall clock is read in core/clock.py alone: whatever decides is told the time."""
    calls = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
    reading = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in MAY_IMPORT
        for path in modules(package)
        if path != ROOT / "core" / "clock.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in calls
    ]
    assert not reading
