"""A broker that asks everybody who he is, once for the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.secured import Secured, secured_kafka
from tests.stack import run

USERS = ("ingest", "processor", "sink", "notifier", "dashboard", "admin", "operator")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Start the broker and create the topics."""
    with secured_kafka(tmp_path_factory.mktemp("secured"), USERS) as secured:
        done = run("topics", environ=secured.scram("admin"))
        assert done.returncode == 0, done.stderr
        yield secured
