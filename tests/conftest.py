"""Fixtures that all tests share: a Kafka, a ClickHouse, a whole stack, each once a session.

Where the environment names KAFKA_BOOTSTRAP_SERVERS or CLICKHOUSE_URL the tests use those instead of the sandbox's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling, Scheduling

from tests.stack import Up, given_parts, no_roles

# A slow machine is no fault of what is tested.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

TOGETHER = ("tests/end_to_end", "tests/dashboard")
"""Folders whose files share large fixtures, and what was done to them: one worker takes all of it, in order."""


def group_of(nodeid: str) -> str:
    """Return what a worker takes whole (for `-n`, see `make test`): a folder of TOGETHER, else a file."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Give each worker whole groups. pytest 9.2 loses the marks that xdist has for that."""

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: group_of(item.nodeid) not in TOGETHER)


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
