"""Listed channels in ClickHouse, and what is known of every channel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import orjson

from core.clickhouse import ClickHouse
from core.clock import iso
from sinks.channels.listing import Channel

_LIST = """
SELECT
    channels.org_id AS org_id,
    channels.channel_id AS channel_id,
    channels.type AS type,
    channels.name AS name,
    channels.account_name AS account_name,
    channels.active AS active,
    channels.listed AS listed,
    if(coverage.channel_id = '', NULL, coverage.last_heard) AS last_heard
FROM channels
LEFT JOIN coverage ON coverage.org_id = channels.org_id AND coverage.channel_id = channels.channel_id
WHERE ({org:String} = '' OR channels.org_id = {org:String}) AND ({type:String} = '' OR channels.type = {type:String})
ORDER BY org_id, channel_id
"""
_ORGS = "SELECT DISTINCT org_id FROM coverage WHERE org_id != '' ORDER BY org_id"


async def store(
    clickhouse: ClickHouse, channels: Sequence[Channel], source: Literal["file", "zoho"], now_ms: int
) -> None:
    """Keep what is listed; the latest word on a channel holds. Storing the same again changes nothing."""
    more = {"source": source, "changed_time": iso(now_ms)}
    lines = b"\n".join(orjson.dumps(msgspec.to_builtins(channel) | more) for channel in channels)
    await clickhouse.insert("channels_log", lines, token=f"channels-{hashlib.sha256(lines).hexdigest()}")


async def listed(clickhouse: ClickHouse, *, org_id: str = "", type_: str = "") -> list[dict[str, Any]]:
    """Return every channel that was heard or listed."""
    return await clickhouse.rows(_LIST, {"org": org_id, "type": type_.upper()})


async def orgs_heard(clickhouse: ClickHouse) -> list[str]:
    """Return the orgs that ever told something."""
    return [str(row["org_id"]) for row in await clickhouse.rows(_ORGS)]
