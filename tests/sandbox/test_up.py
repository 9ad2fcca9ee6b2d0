"""`receipts up` and `receipts ps`: readiness, restarts, refusals, the drain, and what a restart finds."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import plan
from tests.stack import FREE_PORTS, Up, no_roles, run, until

pytestmark = pytest.mark.stack


def test_ready_line_names_what_answers(stack: Up) -> None:
    """The ready line names the URLs, each of which answers, and every role runs."""
    assert stack.ready_line.startswith(f"ready ingest={stack.ingest}/webhooks/zoho-desk")
    assert stack.kafka in stack.ready_line
    with urllib.request.urlopen(f"{stack.ingest}/readyz") as answer:
        assert answer.status == 200
    rows = stack.ps()
    installed = [role for role in plan.ROLES if find_spec(f"cli.{role.name}") is not None]
    assert rows.keys() == {name for role in installed for name in plan.names(role, 1)}
    assert {row["state"] for row in rows.values()} == {"running"}
    assert set(rows["broker"]) == {"role", "pid", "state", "restarts", "address"}


def test_second_up_names_the_first(stack: Up) -> None:
    """A second `up` on the same directory refuses with exit code 2 and the pid of the first."""
    assert stack.process is not None
    done = run("up", "--state-dir", str(stack.state_dir), environ=FREE_PORTS)
    assert done.returncode == 2
    assert f"process {stack.process.pid} already runs" in done.stderr


def test_the_pid_is_the_working_process(stack: Up) -> None:
    """What `ps` tells is the pid of the process that listens, not of a wrapper of it."""
    for row in stack.ps().values():
        port = int(row["address"].rpartition(":")[2])
        listening = {
            found.laddr.port for found in psutil.Process(row["pid"]).net_connections() if found.status == "LISTEN"
        }
        assert port in listening, row


@pytest.mark.parametrize("role", ["ingest", "warehouse", "broker"])
def test_killed_role_is_started_again(stack: Up, role: str) -> None:
    """A role killed with SIGKILL is replaced on the same port, and the restart is counted."""
    before = stack.ps()[role]
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> bool:
        now = stack.ps()[role]
        return bool(now["state"] == "running" and now["pid"] != before["pid"])

    until(back, within_s=60, what=f"{role} running again")
    after = stack.ps()[role]
    assert (after["restarts"], after["address"]) == (before["restarts"] + 1, before["address"])


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("variable", ["INGEST_PORT", "SANDBOX_KAFKA_PORT", "SANDBOX_CLICKHOUSE_PORT"])
def test_a_port_that_was_asked_for_and_is_taken_is_refused(tmp_path: Path, variable: str) -> None:
    """A port set by the user is that port or nothing: the refusal names variable, value and fix."""
    with _taken_port() as port:
        done = run("up", "--state-dir", str(tmp_path), environ={**FREE_PORTS, variable: str(port)})
    assert done.returncode == 2
    assert f"{variable}={port}" in done.stderr
    assert f"set {variable} to another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_little_room_is_refused(tmp_path: Path) -> None:
    """With less room than SANDBOX_MIN_FREE_BYTES nothing is started, and the fix is told."""
    done = run("up", "--state-dir", str(tmp_path), environ={**FREE_PORTS, "SANDBOX_MIN_FREE_BYTES": str(10**18)})
    assert done.returncode == 1
    assert "MiB are free on the disk" in done.stderr
    assert "SANDBOX_MIN_FREE_BYTES" in done.stderr
    assert not (tmp_path / "kafka").exists()


def test_unusable_directory_is_refused(tmp_path: Path) -> None:
    """A state directory that cannot be made is a configuration error that names it."""
    (tmp_path / "file").touch()
    done = run("up", "--state-dir", str(tmp_path / "file" / "below"), environ=FREE_PORTS)
    assert done.returncode == 2
    assert "STATE_DIR=" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scale", ["nobody=1", "broker=2", "processor=x"])
def test_impossible_scale_is_refused(tmp_path: Path, scale: str) -> None:
    """An unknown role, or more of one than there can be, is a usage error."""
    done = run("up", "--state-dir", str(tmp_path), "--scale", scale, environ=FREE_PORTS)
    assert done.returncode == 2
    assert scale in done.stderr


def test_role_that_refuses_its_configuration_ends_up(tmp_path: Path) -> None:
    """A role that refuses to start is shown with its reason; `up` ends with 2 and does not loop."""
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "SANDBOX_CACHE_DIR": str(tmp_path / "cache")}
    done = run(
        "up", "--state-dir", str(tmp_path / "state"), environ={**FREE_PORTS, **nowhere, "SANDBOX_BROKER": "kafka"}
    )
    assert done.returncode == 2, done.stderr
    assert "broker refused to start" in done.stderr
    assert "Let this machine reach Maven Central" in done.stderr


def test_changed_partitions_end_up(kafka: str, tmp_path: Path) -> None:
    """Topics that are there with another number of partitions are a configuration error, told with its fix."""
    environ = {**FREE_PORTS, "KAFKA_BOOTSTRAP_SERVERS": kafka, "RAW_PARTITIONS": "3"}
    done = run("up", "--state-dir", str(tmp_path), environ=environ)
    assert done.returncode == 2, done.stderr
    assert "Set RAW_PARTITIONS=4" in done.stderr


def test_foreign_host_is_refused(tmp_path: Path) -> None:
    """A host to listen on that is not this machine's is named, not taken for a busy port."""
    done = run("up", "--state-dir", str(tmp_path), environ={**FREE_PORTS, "INGEST_HOST": "192.0.2.1"})
    assert done.returncode == 2
    assert "192.0.2.1 is no address of this machine" in done.stderr


def test_ports_and_data_outlive_drain_and_kill(tmp_path: Path) -> None:
    """SIGTERM ends all with 0, SIGKILL leaves no child behind; the next `up` has the same ports, topics and rows."""
    up = Up(tmp_path / "state dir", scale=no_roles("ingest"))
    with up:
        first = up.ps()
        _sql(up.clickhouse, "CREATE TABLE default.kept (a UInt8) ENGINE = MergeTree ORDER BY a")
        _sql(up.clickhouse, "INSERT INTO default.kept VALUES (7)")
        topics = up.receipts("topics").stdout
        assert up.stop() == 0
        assert not _living(first)
        assert {row["state"] for row in up.ps().values()} == {"stopped"}
    with up:
        second = up.ps()
        assert _addresses(second) == _addresses(first)
        assert _sql(up.clickhouse, "SELECT a FROM default.kept") == "7\n"
        up.stop(signal.SIGKILL)
        until(lambda: not _living(second), what="the end of all children")
    with up:
        assert _addresses(up.ps()) == _addresses(first)
        assert _sql(up.clickhouse, "SELECT a FROM default.kept") == "7\n"
        assert up.receipts("topics").stdout == topics
        assert up.stop(signal.SIGINT) == 0


def _living(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, row in rows.items() if psutil.pid_exists(row["pid"])]


def _addresses(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: row["address"] for name, row in rows.items()}


def _sql(url: str, statement: str) -> str:
    with urllib.request.urlopen(url, data=statement.encode()) as answer:
        return str(answer.read().decode())
