"""Whether an instance serves: one question, one answer, no waiting longer than a moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from sandbox.plan import Instance

TIMEOUT_S = 3.0


async def why_not_ready(instance: Instance, session: aiohttp.ClientSession) -> str:
    """Return '' when the instance serves, else the reason why it does not."""
    if instance.role.probe == "kafka":
        return await kafka(instance.address)
    return await http(f"{instance.address}/{'ping' if instance.role.probe == 'ping' else 'readyz'}", session)


async def http(url: str, session: aiohttp.ClientSession) -> str:
    """Return '' when the URL answers 200."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as answer:
            text = (await answer.text())[:200].strip()
            return "" if answer.status == 200 else f"{url} answers {answer.status}: {text}"  # noqa: PLR2004
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"{url} does not answer: {error or type(error).__name__}"


async def kafka(bootstrap: str) -> str:
    """Return '' when a broker answers a metadata request and knows itself."""
    host, _, port = bootstrap.rpartition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        return f"Kafka at {bootstrap} does not answer: {error or type(error).__name__}"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=int(TIMEOUT_S * 1000))
    try:
        await asyncio.wait_for(client.bootstrap(), TIMEOUT_S)
    except (KafkaError, TimeoutError, OSError) as error:
        return f"Kafka at {bootstrap} does not tell its metadata: {error!r}"
    else:
        known = {each.port for each in client.cluster.brokers()}
        return "" if int(port) in known else f"Kafka at {bootstrap} has not joined its cluster yet"
    finally:
        await client.close()
