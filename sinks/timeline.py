"""The timeline of one message: everything the warehouse knows of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from core.clickhouse import ClickHouse
from schemas.events import LADDER

Row = dict[str, Any]

_STATES = "SELECT * FROM message_state WHERE message_id = {id:String} ORDER BY org_id"
_STATUSES = """
SELECT *, dateDiff('millisecond', updated_time, received_time) AS heard_after_ms
FROM transitions WHERE message_id = {id:String} ORDER BY org_id, updated_time, raw_offset
"""
_ALERTS = "SELECT * FROM alerts WHERE message_id = {id:String} ORDER BY org_id, due_time"


class Timeline(NamedTuple):
    """One message of one org. Rows have the columns of the views they come from."""

    state: Row
    statuses: list[Row]
    """Rows of `transitions` by updated time, with `heard_after_ms`: from the change of the status to its webhook."""
    missing: list[str]
    """Ladder statuses below the highest known one that no webhook told."""
    alerts: list[Row]


async def timelines(clickhouse: ClickHouse, message_id: str) -> list[Timeline]:
    """Return the message's timeline in each org that has one of this id; empty when there is none."""
    parameters = {"id": message_id}
    states = await clickhouse.rows(_STATES, parameters)
    statuses = await clickhouse.rows(_STATUSES, parameters)
    alerts = await clickhouse.rows(_ALERTS, parameters)
    return [
        Timeline(state, _of(state, statuses), missing(_of(state, statuses)), _of(state, alerts)) for state in states
    ]


def _of(state: Row, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["org_id"] == state["org_id"]]


def missing(statuses: list[Row]) -> list[str]:
    """Return the ladder statuses that must have been, and were not told."""
    told = {str(row["new_status"]) for row in statuses}
    highest = max((LADDER.index(status) for status in told if status in LADDER), default=0)
    return [status for status in LADDER[:highest] if status not in told]
