-- What became of the raw records, by org, channel and hour of receipt. Several rows of raw_events never share an offset.
WITH
    parked AS
    (
        SELECT DISTINCT toUInt32(assumeNotNull(partition)) AS raw_partition, toUInt64(assumeNotNull(offset)) AS raw_offset, 1 AS parked
        FROM dead_letters
        WHERE stage = 'processor' AND topic = 'im.events.raw' AND partition IS NOT NULL AND offset IS NOT NULL
    ),
    kept AS
    (
        SELECT raw_partition, raw_offset, 1 AS applied
        FROM transitions
        WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
            AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    )
SELECT
    events.org_id AS org_id,
    events.channel_id AS channel_id,
    toStartOfHour(events.received_time) AS hour,
    count() AS raw,
    countIf(kept.applied = 1) AS applied,
    countIf(kept.applied = 0 AND events.tells_status AND parked.parked = 0) AS duplicate,
    countIf(kept.applied = 0 AND parked.parked = 1) AS parked,
    countIf(kept.applied = 0 AND NOT events.tells_status AND parked.parked = 0) AS other
FROM
(
    SELECT
        raw_partition, raw_offset, org_id, channel_id, received_time, status != '' AS tells_status
    FROM raw_events
    WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
) AS events
LEFT JOIN kept ON kept.raw_partition = events.raw_partition AND kept.raw_offset = events.raw_offset
LEFT JOIN parked ON parked.raw_partition = events.raw_partition AND parked.raw_offset = events.raw_offset
GROUP BY org_id, channel_id, hour
ORDER BY org_id, channel_id, hour
