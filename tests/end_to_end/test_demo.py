"""The demo as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.demo.run import environ_of, sample
from tests.stack import run


def test_the_demo_leaves_the_users_own_stack_alone() -> None:
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": "prod:9092",
        "CLICKHOUSE_URL": "http://prod:8123",
        "STATE_DIR": "/data",
        "INGEST_PATH_SECRETS": "s",
        "INGEST_PORT": "8080",
        "SANDBOX_CACHE_DIR": "/cache",
        "PATH": "/bin",
    }
    ports = ("SANDBOX_KAFKA_PORT", "SANDBOX_CLICKHOUSE_PORT", "INGEST_PORT", "DASHBOARD_PORT")
    assert environ_of(given) == {"SANDBOX_CACHE_DIR": "/cache", "PATH": "/bin", **dict.fromkeys(ports, "0")}


def test_the_sample_is_sent_byte_for_byte() -> None:
    file = Path(__file__).parents[2] / "schemas" / "examples" / "zoho_sample.json"
    assert sample().body == file.read_bytes().rstrip(b"\n")


@pytest.mark.stack
@pytest.mark.timeout(240)
def test_the_demo_ends_by_itself_equal_to_the_answer_key_and_leaves_nothing(tmp_path: Path) -> None:
    done = run("demo", "--messages", "1500", "--seed", "5", environ={"TMPDIR": str(tmp_path)}, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": equal") == 2
    assert "Delivery and reading per channel" in done.stdout
    assert list(tmp_path.iterdir()) == []
