"""Commands whose Kafka or ClickHouse is away, or not named: one sentence and exit code 2, never the answer "no"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from click.testing import CliRunner

from cli._settings import UnreachedError, reaching
from cli.main import receipts
from core import logs
from core.errors import BrokerRefusedError, ConfigError, WarehouseRefusedError
from core.settings import parse
from sinks.doctor_groups import partitions_of
from tests.stack import run

KAFKA, CLICKHOUSE = "KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL"
AWAY = {KAFKA: "127.0.0.1:1", CLICKHOUSE: "http://127.0.0.1:1"}
RANGE = ("--from", "2026-01-01", "--to", "2026-01-02")
ASKING_KAFKA = (
    ("audit",),
    ("restate", "--yes"),
    ("replay", *RANGE),
    ("topics",),
    ("lag",),
)
ASKING_CLICKHOUSE = (
    ("replay", "--source", "clickhouse", "--dry-run", *RANGE),
    ("dead", "redrive"),
    ("dead", "list"),
    ("alerts", "list"),
    ("alerts", "show", "a"),
    ("alerts", "ack", "a"),
    ("channels", "list"),
    ("channels", "sync"),
    ("message", "1"),
    ("migrate",),
)
NEEDED = (
    *((KAFKA, asked) for asked in ASKING_KAFKA),
    *((CLICKHOUSE, asked) for asked in ASKING_CLICKHOUSE),
    *((CLICKHOUSE, asked) for asked in ASKING_KAFKA[:2]),
    (KAFKA, ("dead", "redrive")),
    (KAFKA, ("restore", "--from-database", "old")),
    (CLICKHOUSE, ("restore", "--from-database", "old")),
)


def refused(environ: dict[str, str], *arguments: str) -> str:
    """Run a command that must end with exit code 2, and return its one line of error."""
    done = run(*arguments, environ=environ)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "sent" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("arguments", [*ASKING_KAFKA, ("restore", "--from-database", "old")], ids=" ".join)
def test_a_kafka_that_is_away_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    line = refused({**AWAY, "STATE_DIR": str(tmp_path)}, *arguments)
    assert line.startswith("receipts: Kafka at 127.0.0.1:1 does not answer")
    assert line.endswith(f"Check {KAFKA}")


@pytest.mark.parametrize("arguments", ASKING_CLICKHOUSE, ids=" ".join)
def test_a_clickhouse_that_is_away_is_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    zoho = dict.fromkeys(("ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN"), "x")
    line = refused({**AWAY, **zoho, "STATE_DIR": str(tmp_path)}, *arguments)
    assert line.startswith("receipts: ClickHouse at 127.0.0.1:1 does not answer")
    assert f"Check {CLICKHOUSE}" in line


@pytest.mark.parametrize(("name", "arguments"), NEEDED, ids=str)
def test_a_part_that_nothing_names_is_asked_for(
    name: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)
    done = CliRunner(env={**AWAY, name: "", "STATE_DIR": str(tmp_path)}).invoke(receipts, arguments)
    assert isinstance(done.exception, ConfigError), done.output
    assert f"Set {name}, or start the sandbox with `receipts up`" in str(done.exception)


class Admin:
    """A Kafka that has no topic."""

    async def list_topics(self) -> list[str]:
        return []


async def test_a_missing_topic_is_an_error_of_configuration() -> None:
    settings = parse(AWAY)
    with pytest.raises(ConfigError, match=r"topic im does not exist.*receipts topics"):
        async with reaching(settings, kafka=True):
            await partitions_of(Admin(), ["im"])
    with pytest.raises(ConfigError, match="receipts topics"):
        async with reaching(settings, kafka=True):
            raise UnknownTopicOrPartitionError


@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), ConnectionResetError("gone")])
async def test_what_kafka_s_clients_raise_is_an_answer_not_had(error: Exception) -> None:
    with pytest.raises(UnreachedError, match=r"Kafka at 127\.0\.0\.1:1") as caught:
        async with reaching(parse(AWAY), kafka=True):
            raise error
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("code", "raised"), [(60, ConfigError), (81, ConfigError), (497, UnreachedError)])
async def test_a_question_that_clickhouse_refuses_is_not_answered(code: int, raised: type[Exception]) -> None:
    with pytest.raises(raised, match="why") as caught:
        async with reaching(parse(AWAY), clickhouse=True):
            raise WarehouseRefusedError("why", code=code)
    assert caught.value.exit_code == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [ValueError("a defect"), BrokerRefusedError("no"), KeyError("x")])
async def test_other_errors_stay_what_they_are(error: Any) -> None:
    with pytest.raises(type(error)) as caught:
        async with reaching(parse(AWAY), kafka=True):
            raise error
    assert caught.value is error
