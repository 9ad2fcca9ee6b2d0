"""The same parts in containers, where a container engine answers; a skip with its reason where none does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KAFKA_IMAGE = "apache/kafka:4.4.0"
SOCKET = Path("/var/run/docker.sock")
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:26.9"


def _require_engine() -> None:
    """Skip the test unless there is a container engine to ask."""
    if not (os.environ.get("DOCKER_HOST") or SOCKET.exists()):
        pytest.skip(f"no container engine: DOCKER_HOST is not set and there is no {SOCKET}")


@contextmanager
def clickhouse_container() -> Iterator[str]:
    """Run a ClickHouse server; yields its URL."""
    _require_engine()
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - needed only where an engine answers
    from testcontainers.core.wait_strategies import HttpWaitStrategy  # noqa: PLC0415

    server = DockerContainer(CLICKHOUSE_IMAGE).with_exposed_ports(8123).with_env("CLICKHOUSE_SKIP_USER_SETUP", "1")
    with server.waiting_for(HttpWaitStrategy(8123, "/ping").for_status_code(200)):
        yield f"http://{server.get_container_host_ip()}:{server.get_exposed_port(8123)}"


@contextmanager
def kafka_container() -> Iterator[str]:
    """Run a Kafka node; yields its bootstrap servers."""
    _require_engine()
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415 - needed only where an engine answers

    with KafkaContainer(KAFKA_IMAGE).with_kraft() as server:
        yield str(server.get_bootstrap_server())
