"""Alerts as the warehouse has them, and who has seen to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from core.clickhouse import ClickHouse
from core.clock import iso

Row = dict[str, Any]

_SELECT = """
SELECT
    alerts.alert_id AS alert_id,
    alerts.rule AS rule,
    alerts.state AS state,
    alerts.followup AS followup,
    alerts.org_id AS org_id,
    alerts.channel_id AS channel_id,
    alerts.session_id AS session_id,
    alerts.message_id AS message_id,
    alerts.due_time AS due_time,
    alerts.opened_time AS opened_time,
    alerts.resolved_time AS resolved_time,
    channels.type AS channel_type,
    channels.name AS channel_name,
    if(alert_acks.alert_id = '', NULL, alert_acks.acked_time) AS acked_time,
    alert_acks.acked_by AS acked_by,
    alert_acks.note AS note
FROM alerts
LEFT JOIN channels ON channels.org_id = alerts.org_id AND channels.channel_id = alerts.channel_id
LEFT JOIN alert_acks ON alert_acks.alert_id = alerts.alert_id
"""
_LIST = (
    _SELECT
    + """
WHERE ({state:String} = 'all' OR alerts.state = {state:String})
    AND ({rule:String} = '' OR alerts.rule = {rule:String})
    AND ({org:String} = '' OR alerts.org_id = {org:String})
    AND ({channel:String} = '' OR alerts.channel_id = {channel:String})
    AND (NOT {unacked:Bool} OR alert_acks.alert_id = '')
ORDER BY alerts.due_time DESC, alerts.alert_id
LIMIT {limit:UInt32}
"""
)
_SHOW = _SELECT + "WHERE alerts.alert_id = {id:String}"
_MESSAGE = "SELECT * FROM message_state WHERE org_id = {org:String} AND message_id = {id:String}"
_KNOWN = "SELECT alert_id FROM alerts WHERE alert_id IN {ids:Array(String)}"


async def found(
    clickhouse: ClickHouse,
    *,
    state: str,
    limit: int,
    rule: str = "",
    org: str = "",
    channel: str = "",
    unacked: bool = False,
) -> list[Row]:
    """Return the latest alerts, columns of `alerts` with the channel's name and the acknowledgement."""
    given = {"state": state, "rule": rule, "org": org, "channel": channel}
    return await clickhouse.rows(_LIST, {**given, "limit": limit, "unacked": str(unacked).lower()})


async def one(clickhouse: ClickHouse, alert_id: str) -> tuple[Row, Row] | None:
    """Return an alert and its message's state (empty where there is none); None when there is no such alert."""
    rows = await clickhouse.rows(_SHOW, {"id": alert_id})
    if not rows:
        return None
    alert = rows[0]
    messages: list[Row] = []
    if alert["message_id"]:
        messages = await clickhouse.rows(_MESSAGE, {"org": alert["org_id"], "id": alert["message_id"]})
    return alert, messages[0] if messages else {}


async def acknowledge(clickhouse: ClickHouse, alert_ids: Sequence[str], *, who: str, note: str, now: int) -> list[str]:
    """Record who has seen to these alerts. Returns those that do not exist: then nothing is recorded."""
    rows = await clickhouse.rows(_KNOWN, {"ids": list(alert_ids)})
    known = {row["alert_id"] for row in rows}
    unknown = [each for each in alert_ids if each not in known]
    if unknown:
        return unknown
    acks = [{"alert_id": each, "acked_time": iso(now), "acked_by": who, "note": note} for each in alert_ids]
    lines = b"\n".join(map(orjson.dumps, acks))
    await clickhouse.insert("alert_acks_log", lines, token=f"ack-{hashlib.sha256(lines).hexdigest()}")
    return []
