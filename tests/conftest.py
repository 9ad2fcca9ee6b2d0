"""Fixtures that all tests share: a Kafka, a ClickHouse, a whole stack, each once a session.

Where the environment names KAFKA_BOOTSTRAP_SERVERS or CLICKHOUSE_URL the tests use those instead of the sandbox's.
"""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from tests.stack import Up, given_parts, no_roles

# A slow machine is no fault of what is tested.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

TOGETHER = ("own_stack", "processor", "filled", "stack")
"""Fixtures that start many processes: the tests that use one run in the same worker, whichever files they are in."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each worker whole files, and all tests on one of the large fixtures (for `-n`, see `make test`)."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        group = next((name for name in TOGETHER if name in names), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start a Kafka and a ClickHouse with the pipeline's topics and tables, without roles."""
    with Up(tmp_path_factory.mktemp("parts"), given_parts(), no_roles()) as up:
        yield up


@pytest.fixture(scope="session")
def kafka(parts: Up) -> str:
    """Name the bootstrap servers of a Kafka; its data is shared by the whole session."""
    return parts.kafka


@pytest.fixture(scope="session")
def warehouse(parts: Up) -> str:
    """Name the URL of a ClickHouse; its data is shared by the whole session: tests make databases of their own."""
    return parts.clickhouse


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start everything: broker, ClickHouse engine and all roles, as `receipts up` runs them, on parts of its own."""
    with Up(tmp_path_factory.mktemp("stack"), given_parts()) as up:
        yield up
        assert up.stop() == 0, up.errors()
