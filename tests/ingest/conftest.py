"""An ingress in the tests' own process."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.kafka import create_topics
from core.settings import Settings, parse
from ingest.main import serving
from schemas import topics
from tests.ingest.kafka import Kafka, Reader
from tests.ingest.waiting import until

SECRET = "a-path-secret"  # not a secret but its likeness


async def prepare(broker: Kafka) -> None:
    """Wait for a broker and make the topics of the ingress there."""
    await broker.wait()
    settings = settings_for(broker.bootstrap, broker.home)
    specs = [spec for spec in topics.specs(settings) if spec.name in (topics.RAW, topics.DEAD)]
    await create_topics(broker.bootstrap, specs, partitions=4, replication=1)


def settings_for(bootstrap: str, state_dir: Path, **changes: str) -> Settings:
    """Return settings of an ingress on any free port."""
    return parse(
        {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "INGEST_PORT": "0",
            "INGEST_PATH_SECRETS": SECRET,
            "STATE_DIR": str(state_dir),
            **changes,
        }
    )


class Client:
    """Talks to one ingress."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/webhooks/zoho-desk/{SECRET}"

    async def call(self, method: str, url: str = "", **options: Any) -> tuple[int, Any]:
        """Return status and JSON body (None when it is empty) of a request."""
        async with self._session.request(method, url or self.url, **options) as response:
            text = await response.read()
            return response.status, await response.json() if text else None

    async def post(self, body: bytes, **headers: str) -> tuple[int, Any]:
        """Post a body to the webhook; underscores in header names stand for hyphens."""
        # aiohttp warns of large bodies that are bare bytes.
        return await self.call(
            "POST",
            data=io.BytesIO(body) if len(body) > 2**20 else body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    async def until_via(self, way: str) -> None:
        """Wait until the ingress says that events become durable that way: by `kafka` or `spool`."""

        async def found() -> bool:
            return bool((await self.readiness())["via"] == way)

        await until(found)

    async def outcomes(self, root: str = "") -> dict[str, int]:
        """Return the requests counted so far in this process, by outcome."""
        async with self._session.get((root or self.root) + "/metrics") as response:
            text = await response.text()
        found = re.findall(r'receipts_ingest_requests_total\{outcome="(\w+)"\} ([\d.]+)', text)
        return {outcome: int(float(count)) for outcome, count in found}

    async def readiness(self) -> dict[str, Any]:
        """Return what the ingress says of itself."""
        found: dict[str, Any] = (await self.call("GET", self.root + "/readyz"))[1]
        return found


Serve = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[Client]:
    """Run an ingress in this loop and talk to it."""
    async with serving(settings) as service, aiohttp.ClientSession(auto_decompress=False) as session:
        yield Client(session, service.port)


@pytest.fixture
def serve(kafka: str, tmp_path: Path) -> Serve:
    """Start an ingress on the shared Kafka with settings of the test's choice; ready when the context begins."""

    @asynccontextmanager
    async def start(**changes: str) -> AsyncIterator[Client]:
        async with client_of(settings_for(kafka, tmp_path, **changes)) as client:
            await client.until_via("kafka")
            yield client

    return start


@pytest.fixture
async def raw(kafka: str) -> AsyncIterator[Reader]:
    """Read what a test adds to im.events.raw."""
    async with Reader(kafka, topics.RAW) as reader:
        yield reader


@pytest.fixture
async def dead(kafka: str) -> AsyncIterator[Reader]:
    """Read what a test adds to im.events.dead."""
    async with Reader(kafka, topics.DEAD) as reader:
        yield reader
