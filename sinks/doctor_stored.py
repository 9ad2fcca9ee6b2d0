"""What the warehouse tells of orgs, channels and dead letters."""

from __future__ import annotations

from typing import Any

from core.clickhouse import ClickHouse
from sinks.facts import Channel, Letters, Org, Stored

Row = dict[str, Any]
_Key = tuple[str, str]

_ORGS = """
SELECT
    org_id,
    countIf(event_type = 'IM_Message_Status') AS status_events,
    countIf(event_type = 'IM_Message_Add') AS message_events,
    toUnixTimestamp64Milli(max(received_time)) AS last_heard_ms
FROM raw_events
WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY org_id
ORDER BY org_id
"""

_CHANNELS = """
SELECT
    org_id,
    channel_id,
    channel_type,
    toUnixTimestamp64Milli(first_heard) AS first_heard_ms,
    toUnixTimestamp64Milli(last_heard) AS last_heard_ms,
    statuses,
    can_report_delivered,
    can_report_read
FROM coverage
ORDER BY org_id, channel_id
"""

_RECEIPTS = """
SELECT
    org_id,
    channel_id,
    count() AS receipts,
    countIf(out_of_order) AS out_of_order,
    countIf(contradiction) AS contradictions,
    countIf(time_source != 'updated') AS other_clock,
    arraySort(groupUniqArray(intDiv(toUnixTimestamp(received_time), 60))) AS minutes,
    if(length(minutes) < {enough:UInt32}, 0, arrayMax(arrayDifference(minutes)) * 60) AS longest_silence_s
FROM transitions
WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY org_id, channel_id
"""

_WINDOWS = """
SELECT org_id, channel_id, sum(duplicates) AS duplicates, sum(late) AS late
FROM channel_windows
WHERE window_start >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY org_id, channel_id
"""

# What was not known when a message's highest status came, less what came later: exact for whatever reaches back before
# the first day looked at.
_GAPS = """
SELECT
    org_id,
    channel_id,
    sum(unknown - later) AS gaps,
    sum(if(read_without_delivered AND unknown > later, 1, 0)) AS undelivered
FROM
(
    SELECT
        org_id,
        message_id,
        argMin(channel, at) AS channel_id,
        toInt64(argMax(missing, rank)) AS unknown,
        argMax(at, rank) AS top_at,
        toInt64(arrayCount(x -> x > top_at, groupArray(at))) AS later,
        max(rank) = 3 AND countIf(rank = 2) = 0 AS read_without_delivered
    FROM
    (
        SELECT
            org_id,
            message_id,
            channel_id AS channel,
            indexOf(['SENT', 'DELIVERED', 'READ'], toString(new_status)) AS rank,
            implied AS missing,
            raw_offset AS at
        FROM transitions
        WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND rank > 0
    )
    GROUP BY org_id, message_id
)
GROUP BY org_id, channel_id
"""

_LETTERS = """
SELECT stage, reason, count() AS count, toUnixTimestamp64Milli(max(failed_at)) AS newest_ms
FROM dead_letters
WHERE state = 'open'
GROUP BY stage, reason
ORDER BY stage, reason
"""

ENOUGH_MINUTES = 20
"""Minutes with a receipt from which a channel's usual silence can be told."""


async def look_up(clickhouse: ClickHouse, since_ms: int) -> Stored:
    """Return what the warehouse tells; counts since `since_ms`. Raises what `ClickHouse.rows` raises."""
    since = {"since": since_ms}
    orgs = await clickhouse.rows(_ORGS, since)
    channels = await clickhouse.rows(_CHANNELS)
    receipts = _by_channel(await clickhouse.rows(_RECEIPTS, {**since, "enough": ENOUGH_MINUTES}))
    windows = _by_channel(await clickhouse.rows(_WINDOWS, since))
    gaps = _by_channel(await clickhouse.rows(_GAPS, since))
    letters = await clickhouse.rows(_LETTERS)
    return Stored(
        tuple(map(_org, orgs)),
        tuple(_channel(row, receipts, windows, gaps) for row in channels),
        tuple(Letters(row["stage"], row["reason"], int(row["count"]), int(row["newest_ms"])) for row in letters),
    )


def _by_channel(rows: list[Row]) -> dict[_Key, Row]:
    return {(row["org_id"], row["channel_id"]): row for row in rows}


def _org(row: Row) -> Org:
    return Org(row["org_id"], int(row["status_events"]), int(row["message_events"]), int(row["last_heard_ms"]))


def _channel(row: Row, receipts: dict[_Key, Row], windows: dict[_Key, Row], gaps: dict[_Key, Row]) -> Channel:
    key = row["org_id"], row["channel_id"]
    told, counted, missed = receipts.get(key, {}), windows.get(key, {}), gaps.get(key, {})
    # What a channel does not report is not missing.
    expected = 0 if row["can_report_delivered"] else int(missed.get("undelivered", 0))
    return Channel(
        org_id=row["org_id"],
        channel_id=row["channel_id"],
        type=row["channel_type"],
        first_heard_ms=int(row["first_heard_ms"]),
        last_heard_ms=int(row["last_heard_ms"]),
        statuses=tuple(row["statuses"]),
        can_report_delivered=bool(row["can_report_delivered"]),
        can_report_read=bool(row["can_report_read"]),
        receipts=int(told.get("receipts", 0)),
        duplicates=int(counted.get("duplicates", 0)),
        out_of_order=int(told.get("out_of_order", 0)),
        contradictions=int(told.get("contradictions", 0)),
        late=int(counted.get("late", 0)),
        other_clock=int(told.get("other_clock", 0)),
        gaps=max(0, int(missed.get("gaps", 0)) - expected),
        longest_silence_s=int(told.get("longest_silence_s", 0)),
    )
