"""The edges that contract tests run on: the parts of this run, and containers where an engine answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers import clickhouse_container, kafka_container

EITHER = [pytest.param("parts", marks=pytest.mark.stack), pytest.param("container", marks=pytest.mark.containers)]


@pytest.fixture(scope="session", params=EITHER)
def any_warehouse(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name the URL of a ClickHouse: the sandbox's or the given one, and one in a container."""
    if request.param == "parts":
        yield request.getfixturevalue("warehouse")
    else:
        with clickhouse_container() as url:
            yield url


@pytest.fixture(scope="session", params=EITHER)
def any_kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name the bootstrap servers of a Kafka: the sandbox's or the given one, and one in a container."""
    if request.param == "parts":
        yield request.getfixturevalue("kafka")
    else:
        with kafka_container() as bootstrap:
            yield bootstrap
