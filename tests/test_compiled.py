"""The compiled event path: which modules it has, and that `make exact` tests it and not the sources."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import build

ROOT = Path(__file__).parent.parent
EXPECTED = os.environ.get("COMPILED") == "1"


def compiled_modules() -> tuple[str, ...]:
    """Return the paths that setup.py has compiled."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "COMPILED":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    raise AssertionError("setup.py names no modules")


def test_the_build_says_what_it_is() -> None:
    assert build.COMPILED is EXPECTED
    assert build.describe().endswith("(compiled)" if EXPECTED else "(not compiled)")


@pytest.mark.parametrize("path", compiled_modules())
def test_a_module_is_loaded_from_where_it_should_be(path: str) -> None:
    """Compiled all of them, or none: a test of one would otherwise run the other."""
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    assert module.__file__ is not None
    assert module.__file__.endswith(".so" if EXPECTED else path)


@pytest.mark.parametrize("path", compiled_modules())
def test_nothing_is_decoded_into_a_class_of_a_compiled_module(path: str) -> None:
    """A compiled class keeps no types of its fields: a decoder would take what does not belong there."""
    nodes = list(ast.walk(ast.parse((ROOT / path).read_text())))
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    decoders = [ast.unparse(node) for node in nodes if isinstance(node, ast.Call) and "ecode" in ast.unparse(node.func)]
    assert not [text for text in decoders if "msgspec" in text and classes & set(re.findall(r"\w+", text))]


def test_a_role_that_a_test_starts_is_of_this_build(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "--version"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.strip().endswith(f", version {build.describe()}")
