"""docker-compose.yml and Dockerfile name only what is there: commands, settings, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import receipts
from core.settings import Settings, parse
from tests import containers

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "receiptstream"}
VARIABLES = {field.alias for field in Settings.model_fields.values()}


def literal(value: object) -> str:
    """Return a value as compose gives it where the user sets nothing: `${NAME:-default}` is the default."""
    text = str(value)
    return text.partition(":-")[2].removesuffix("}") if text.startswith("${") else text


def commands(service: dict[str, Any]) -> list[str]:
    """Return the `receipts` commands that a service runs."""
    if "command" in service:
        return [str(service["command"][0])]
    return [part.split()[1] for part in service["entrypoint"][-1].split("&&")]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_with_settings_that_it_knows(name: str) -> None:
    for command in commands(OURS[name]):
        assert command in receipts.commands or receipts.get_command(None, command) is not None  # type: ignore[arg-type]
    environ = {key: literal(value) for key, value in OURS[name]["environment"].items()}
    assert set(environ) <= VARIABLES
    assert parse(environ).kafka_bootstrap_servers == "kafka:19092"


def test_volumes_and_dependencies_are_declared() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", ())) <= set(services)


def test_the_parts_are_those_of_the_container_tests() -> None:
    images = {service["image"] for service in COMPOSE["services"].values()} - {"receiptstream"}
    assert images == {containers.KAFKA_IMAGE, containers.CLICKHOUSE_IMAGE}


def test_ports_are_published_on_loopback_alone() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_the_image_is_built_from_files_that_are_there() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert copied
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name
    assert "USER receiptstream" in lines
