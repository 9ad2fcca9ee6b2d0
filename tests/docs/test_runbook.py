"""The runbook: a section for each alert, an alert for each section, and commands that exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
COMMAND = re.compile(r"(?:^|`|\$ )(?:\.venv/bin/)?receipts ([a-z][^`#\n]*)", re.MULTILINE)
"""A command line in code, up to a comment; prose has no `receipts` at the beginning of code."""
TEXTS = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    sections = re.findall(r"^### (\w+)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_each_alert_names_its_section(rule: dict[str, Any]) -> None:
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.name))
def test_each_command_and_option_in_the_documentation_exists(path: Path) -> None:
    for line in COMMAND.findall(path.read_text()):
        words = line.replace("|", " ").split()
        command: click.Command = import_module(f"cli.{words[0]}").command
        if isinstance(command, click.Group) and len(words) > 1 and words[1].isalpha() and words[1].islower():
            command = command.commands[words[1]]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        options = {word.split("=")[0].strip("[]") for word in words if word.strip("[").startswith("--")}
        assert options <= known | {"--help"}, line
