"""The ingresses' spools, as each tells of its own at /metrics; which do not answer is said, never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from core import clock
from dashboard.answers import Spool

TIMEOUT_S: Final = 2.0
_BYTES: Final = "receipts_ingest_spool_bytes"
_OLDEST: Final = "receipts_ingest_spool_oldest_timestamp_seconds"
_KAFKA: Final = "receipts_ingest_kafka_available"


async def ask(urls: Sequence[str]) -> list[Spool]:
    """Return the spool of each ingress, in order."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return list(await asyncio.gather(*(_ask(session, url) for url in urls)))


async def _ask(session: aiohttp.ClientSession, url: str) -> Spool:
    # What stands before the host is nobody's business.
    address = urlsplit(url).netloc.rpartition("@")[2]
    try:
        async with session.get(f"{url}/metrics") as answer:
            if answer.status != 200:  # noqa: PLR2004
                return _unknown(address, f"it answers {answer.status} to /metrics")
            return read(address, await answer.text())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _unknown(address, f"it does not answer: {type(error).__name__}")
    except ValueError:
        return _unknown(address, "what it answers to /metrics cannot be read")


def read(address: str, text: str) -> Spool:
    """Return the spool that an exposition tells of. Raises ValueError where it is none."""
    # An ingress of many orgs tells thousands of lines.
    lines = "".join(line for line in text.splitlines(keepends=True) if line.startswith((_BYTES, _OLDEST, _KAFKA)))
    found = {sample.name: sample.value for family in text_string_to_metric_families(lines) for sample in family.samples}
    if _BYTES not in found or _OLDEST not in found:
        return _unknown(address, "it tells of no spool: is it an ingress?")
    oldest = found[_OLDEST]
    return Spool(
        address,
        "",
        bytes=int(found[_BYTES]),
        oldest=clock.iso(int(oldest * 1000)) if oldest > 0 else None,
        kafka_available=bool(found[_KAFKA]) if _KAFKA in found else None,
    )


def _unknown(address: str, why: str) -> Spool:
    return Spool(address, why, bytes=None, oldest=None, kafka_available=None)
