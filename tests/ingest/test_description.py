"""The ingress is what /openapi.json says, for whatever requests can be made from it, right ones and wrong ones."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from tests.ingest.conftest import SECRET
from tests.ingest.process import Process

pytestmark = pytest.mark.stack

NOT_OURS = {
    "negative_data_rejection",  # what is no event is parked, and answered 200
    "positive_data_acceptance",  # the description's secret is any text
    "unsupported_method",  # a wrong secret is told first
}
EXAMPLES = 60


@pytest.fixture(scope="module")
def served(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an ingress and return its root URL."""
    with Process(kafka, tmp_path_factory.mktemp("description")) as process:

        async def ready() -> None:
            async with process.client() as client:
                await client.until_via("kafka")

        asyncio.run(ready())
        yield f"http://127.0.0.1:{process.port}"
        assert process.end(signal.SIGTERM) == 0


def cases(operation: Any) -> st.SearchStrategy[Any]:
    """Return requests of an operation: as described and against it, with the right secret or any other."""
    secrets = (None, {"secret": SECRET}) if "{secret}" in operation.path else (None,)
    strategies: list[st.SearchStrategy[Any]] = [
        operation.as_strategy(generation_mode=mode, path_parameters=secret)
        for mode in GenerationMode
        for secret in secrets
        if mode is GenerationMode.POSITIVE or operation.method == "post"
    ]
    return st.one_of(strategies)


def test_every_answer_is_one_that_the_description_names(served: str) -> None:
    load_all_checks()
    checks: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in NOT_OURS]
    description = openapi.from_url(f"{served}/openapi.json")
    statuses = set()
    with requests.Session() as session:
        for found in description.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()

            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            @given(case=cases(operation))
            def hold(case: Any) -> None:
                response = case.call(base_url=served, session=session)
                statuses.add(response.status_code)
                case.validate_response(response, checks=checks)

            hold()
            if operation.method == "post" and "{secret}" in operation.path:
                # Chance need not come upon an encoding that nobody knows.
                headers = {"Content-Encoding": "rot13"}
                odd = operation.Case(path_parameters={"secret": SECRET}, headers=headers, body=[{}])
                response = odd.call(base_url=served, session=session)
                odd.validate_response(response, checks=checks)
                statuses.add(response.status_code)
    assert statuses >= {200, 400, 404, 415}
    assert not {status for status in statuses if status >= 500}
