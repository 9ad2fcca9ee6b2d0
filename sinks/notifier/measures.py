"""What the channel rules look at, measured in ClickHouse: one row a channel."""

from __future__ import annotations

from typing import Any, NamedTuple

from core.clickhouse import ClickHouse
from schemas.alert_rules import ChannelRule

WEEK_MS = 7 * 86_400_000

_WHO = """
SELECT org_id, channel_id, channel_type, toUnixTimestamp64Milli(last_heard) AS last_heard_ms FROM coverage
"""

# Cohorts that had time to be read, and so time to be delivered. What is compared ends with the newest of them.
_DELIVERY = """
WITH cohorts AS
(
    SELECT org_id, channel_id, toUnixTimestamp64Milli(hour) AS at, sent, delivered
    FROM channel_rates
    WHERE mature AND delivery_ratio IS NOT NULL AND hour >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
),
newest AS (SELECT org_id, channel_id, max(at) AS newest_ms FROM cohorts GROUP BY org_id, channel_id)
SELECT
    cohorts.org_id AS org_id,
    cohorts.channel_id AS channel_id,
    any(newest_ms) AS newest_at,
    sumIf(sent, at > newest_ms - {window:Int64}) AS messages,
    sumIf(delivered, at > newest_ms - {window:Int64}) AS good,
    sumIf(sent, at <= newest_ms - {window:Int64} AND at > newest_ms - {window:Int64} - {week:Int64}) AS before_messages,
    sumIf(delivered, at <= newest_ms - {window:Int64} AND at > newest_ms - {window:Int64} - {week:Int64}) AS before_good
FROM cohorts
INNER JOIN newest ON newest.org_id = cohorts.org_id AND newest.channel_id = cohorts.channel_id
WHERE newest_ms >= {recent:Int64}
GROUP BY org_id, channel_id
"""

# Silence is told by minutes in which anything was received.
_SILENCE = """
SELECT
    org_id,
    channel_id,
    uniqExact(message_id) AS messages,
    toUnixTimestamp64Milli(max(received_time)) AS last_ms,
    arraySort(groupUniqArray(intDiv(toUnixTimestamp(received_time), 60))) AS minutes,
    arrayMax(arrayDifference(minutes)) * 60000 AS longest_ms
FROM transitions
WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY org_id, channel_id
"""

_CONTRADICTIONS = """
SELECT org_id, channel_id, count() AS messages, countIf(contradiction) AS bad
FROM transitions
WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY org_id, channel_id
"""

# A status below a message's highest one that no webhook told, and that the channel reports. What was known later counts
# as known, whenever it came.
_GAPS = """
SELECT
    message_state.org_id AS org_id,
    message_state.channel_id AS channel_id,
    count() AS messages,
    countIf(
        (status IN ('DELIVERED', 'READ') AND sent_time IS NULL AND has(coverage.statuses, 'SENT'))
        OR (status = 'READ' AND delivered_time IS NULL AND coverage.can_report_delivered)
    ) AS bad
FROM message_state
INNER JOIN
(
    SELECT DISTINCT org_id, message_id
    FROM transitions
    WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
) AS heard ON heard.org_id = message_state.org_id AND heard.message_id = message_state.message_id
INNER JOIN coverage ON coverage.org_id = message_state.org_id AND coverage.channel_id = message_state.channel_id
WHERE status IN ('SENT', 'DELIVERED', 'READ')
GROUP BY org_id, channel_id
"""

_OPEN = """
SELECT
    alert_id,
    rule,
    org_id,
    channel_id,
    toUnixTimestamp64Milli(due_time) AS episode,
    toUnixTimestamp64Milli(ifNull(opened_time, due_time)) AS opened_ms
FROM alerts
WHERE state = 'open' AND message_id = ''
"""


class Channel(NamedTuple):
    """A channel that rules may concern."""

    org_id: str
    channel_id: str
    type: str


class Measure(NamedTuple):
    """What a rule looks at, of one channel. Times are epoch ms, counts of messages or receipts."""

    messages: int
    good: int = 0
    """Delivered messages."""
    bad: int = 0
    """Contradictions or messages with gaps."""
    before_messages: int = 0
    before_good: int = 0
    """The same in the week before."""
    at: int = 0
    """The newest mature hour, or the last receipt."""
    longest_ms: int = 0
    """The longest silence between two receipts."""


class Open(NamedTuple):
    """An alert on a channel that is open."""

    alert_id: str
    rule: str
    org_id: str
    channel_id: str
    episode: int
    """Epoch ms; it stands in the id and as due_time."""
    opened_ms: int


async def channels(clickhouse: ClickHouse) -> list[Channel]:
    """Return every channel ever heard."""
    return [Channel(row["org_id"], row["channel_id"], row["channel_type"]) for row in await clickhouse.rows(_WHO)]


async def open_alerts(clickhouse: ClickHouse) -> list[Open]:
    """Return the open alerts on channels."""
    return [
        Open(
            row["alert_id"],
            row["rule"],
            row["org_id"],
            row["channel_id"],
            int(row["episode"]),
            int(row["opened_ms"]),
        )
        for row in await clickhouse.rows(_OPEN)
    ]


async def measure(clickhouse: ClickHouse, rule: ChannelRule, now: int) -> dict[tuple[str, str], Measure]:
    """Return what a rule looks at, by org and channel. Raises what `ClickHouse.rows` raises."""
    query, since = {
        # A cohort may take more than a day to be mature.
        "delivery_ratio_below": (_DELIVERY, now - 2 * WEEK_MS - rule.window_ms),
        "silent": (_SILENCE, now - WEEK_MS - rule.after_ms),
        "contradictions_above": (_CONTRADICTIONS, now - rule.window_ms),
        "gaps_above": (_GAPS, now - rule.window_ms),
    }[rule.kind]
    parameters = {"since": since}
    if rule.kind == "delivery_ratio_below":
        # Cohorts of a channel that fell silent long ago tell nothing of today.
        parameters |= {"window": rule.window_ms, "week": WEEK_MS, "recent": now - WEEK_MS}
    rows = await clickhouse.rows(query, parameters)
    return {(row["org_id"], row["channel_id"]): _measure(row) for row in rows}


def _measure(row: dict[str, Any]) -> Measure:
    return Measure(
        messages=int(row["messages"]),
        good=int(row.get("good", 0)),
        bad=int(row.get("bad", 0)),
        before_messages=int(row.get("before_messages", 0)),
        before_good=int(row.get("before_good", 0)),
        at=int(row.get("newest_at", row.get("last_ms", 0))),
        longest_ms=int(row.get("longest_ms", 0)),
    )
