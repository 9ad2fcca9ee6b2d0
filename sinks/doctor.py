"""Asks the pipeline's parts what `receipts doctor` must know; a part that does not answer spoils no other's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import aiohttp
import orjson
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from core.clickhouse import connect
from core.clock import now_ms
from core.errors import ReceiptstreamError
from core.settings import Settings
from sinks.doctor_groups import watch
from sinks.doctor_stored import look_up
from sinks.facts import Facts, Intake, Stored, Unknown

PATIENCE_S = 10.0
"""Longest that a part is waited for."""

DAY_MS = 86_400_000
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
T = TypeVar("T")


async def examine(settings: Settings, days: int) -> Facts:
    """Find out all that can be found out; counts look back `days`."""
    url = ingress_url(settings)
    intake, groups, stored = await asyncio.gather(
        _or_unknown(_intake(url)),
        _or_unknown(watch(settings)),
        _or_unknown(_stored(settings, now_ms() - days * DAY_MS)),
    )
    places = {"ingress": url, "kafka": settings.kafka_bootstrap_servers, "clickhouse": settings.clickhouse_url}
    return Facts(now_ms(), days, intake, groups, stored, places)


async def _or_unknown(question: Awaitable[T]) -> T | Unknown:
    """Return the answer, or why there is none."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await question
    except TimeoutError:
        return Unknown(f"no answer within {PATIENCE_S:.0f} s")
    except ReceiptstreamError as error:
        return Unknown(str(error.__cause__ or error))
    except (aiohttp.ClientError, KafkaError, OSError, ValueError, LookupError) as error:
        return Unknown(str(error) or type(error).__name__)


def ingress_url(settings: Settings) -> str:
    """Return where the ingress tells of itself."""
    host = settings.ingest_host
    scheme = "https" if settings.ingest_tls_cert else "http"
    return f"{scheme}://{_ANYWHERE.get(host, host)}:{settings.ingest_port}"


async def _intake(url: str) -> Intake:
    # The certificate is made for the public name, not for this machine's own address.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        async with session.get(f"{url}/readyz") as response:
            readiness = orjson.loads(await response.read())
        async with session.get(f"{url}/metrics") as response:
            outcomes, heard = read_metrics(await response.text())
    spool = readiness["spool"]
    return Intake(
        ready=readiness["ready"],
        reason=readiness["reason"],
        kafka=readiness["kafka"],
        spool_bytes=spool["bytes"],
        spool_oldest_s=spool["oldest_seconds"],
        spool_fault=spool["fault"],
        outcomes=outcomes,
        last_event_ms=heard,
    )


def read_metrics(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return requests by outcome, and when each org was last heard (epoch ms), from the ingress's /metrics."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    outcomes = {
        sample.labels["outcome"]: int(sample.value)
        for sample in samples
        if sample.name == "receipts_ingest_requests_total"
    }
    heard = {
        sample.labels["org"]: int(sample.value * 1000)
        for sample in samples
        if sample.name == "receipts_ingest_last_event_timestamp_seconds"
    }
    return outcomes, heard


async def _stored(settings: Settings, since_ms: int) -> Stored:
    async with connect(settings) as clickhouse:
        return await look_up(clickhouse, since_ms)
