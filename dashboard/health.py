"""How the pipeline does: parts that do not answer say so, the rest is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

from core import clock
from core.errors import ReceiptstreamError
from dashboard import params, spools
from dashboard.answers import Channel, DeadCount, Health, Live, Page, Spool
from dashboard.parts import Parts

HEALTH_WAIT_S: Final = 5.0
_ALL: Final = {"org": "", "channel": ""}
T = TypeVar("T")


async def health(parts: Parts, _: Mapping[str, str]) -> Health:
    """Return how the pipeline does; parts that do not answer say so, the rest is told."""
    channels, dead, flow, spooled = await asyncio.gather(
        _or_why(parts.snapshots.need("channels", lambda: parts.reader.rows("coverage", Channel, _ALL), wait_s=5.0)),
        _or_why(parts.snapshots.need("dead", lambda: parts.reader.rows("dead_counts", DeadCount, {}), wait_s=5.0)),
        _or_why(parts.snapshots.need("flow", parts.kafka.flow, wait_s=HEALTH_WAIT_S + 1)),
        _spools(parts),
    )
    why_not = parts.feed.why_not
    return Health(
        as_of=clock.iso(clock.now_ms()),
        warehouse=channels[1] or dead[1],
        kafka=flow[1],
        flow=flow[0],
        live=Live(not why_not, why_not, parts.hub.viewers, parts.hub.cut_off),
        spools=spooled,
        channels=channels[0] or [],
        dead=dead[0] or [],
    )


async def channels(parts: Parts, query: Mapping[str, str]) -> Page[Channel]:
    """Return what each channel reports, and when it was heard."""
    asked = {"org": params.text(query, "org"), "channel": params.text(query, "channel")}
    return Page(await parts.reader.rows("coverage", Channel, asked), None)


async def _spools(parts: Parts) -> list[Spool] | None:
    if not parts.ingest_urls:
        return None
    return await parts.snapshots.need("spools", lambda: spools.ask(parts.ingest_urls), wait_s=HEALTH_WAIT_S)


async def _or_why(found: Awaitable[T | None]) -> tuple[T | None, str]:
    try:
        value = await found
    except ReceiptstreamError as error:
        return None, str(error)
    return value, "" if value is not None else "no answer yet"
