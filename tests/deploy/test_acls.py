"""The rights that operators give: the documentation, the script and the list say the same."""

from __future__ import annotations

import subprocess

from core.settings import parse
from schemas import topics
from tests.deploy.secured import ROOT, rules


def test_the_documentation_lists_the_rights() -> None:
    written = (ROOT / "docs/kafka.md").read_text()
    for rule in rules():
        name = rule["name"] + ("*" if rule["pattern"] == "prefixed" else "")
        row = f"| {rule['role']} | {rule['resource']} | `{name}` | {rule['operations'].replace(' ', ', ')} |"
        assert row in written
    assert sum(f" | {kind} | `" in line for line in written.splitlines() for kind in ("topic", "group")) == len(rules())


def test_the_script_prints_a_command_for_every_right() -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "deploy/kafka/acls.sh"), "User:r-", "broker:9092", "admin.properties"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(rules())
    assert lines[2] == (
        "kafka-acls.sh --bootstrap-server broker:9092 --command-config admin.properties --add "
        "--allow-principal User:r-ingest --topic im.events.raw --resource-pattern-type literal "
        "--operation Write --operation DescribeConfigs"
    )


def test_the_documentation_names_every_topic() -> None:
    written = (ROOT / "docs/kafka.md").read_text()
    assert [spec.name for spec in topics.specs(parse({})) if f"`{spec.name}`" not in written] == []
