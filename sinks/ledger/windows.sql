-- Windows whose counts are not those of the transitions. What is late is counted in the minute of its receipt, duplicates too.
WITH
    expected AS
    (
        SELECT
            org_id,
            channel_id,
            toStartOfMinute(if(is_late, received_time, updated_time)) AS start,
            countIf(NOT is_late AND new_status = 'SENT') AS sent,
            countIf(NOT is_late AND new_status = 'DELIVERED') AS delivered,
            countIf(NOT is_late AND new_status = 'READ') AS read,
            countIf(NOT is_late AND new_status NOT IN ('SENT', 'DELIVERED', 'READ')) AS other,
            countIf(is_late) AS late
        FROM
        (
            SELECT
                *,
                updated_time < received_time - toIntervalMillisecond({retention:Int64})
                    OR updated_time > received_time + INTERVAL 1 HOUR AS is_late
            FROM transitions
        )
        GROUP BY org_id, channel_id, start
    ),
    found AS
    (
        SELECT org_id, channel_id, toStartOfMinute(window_start) AS start, sent, delivered, read, other, late
        FROM channel_windows
    )
SELECT
    org_id,
    channel_id,
    start AS window_start,
    (expected.sent, expected.delivered, expected.read, expected.other) AS expected_counts,
    (found.sent, found.delivered, found.read, found.other) AS found_counts
FROM expected
FULL OUTER JOIN found USING (org_id, channel_id, start)
WHERE (expected_counts != found_counts OR found.late < expected.late)
    AND start >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND start < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
ORDER BY org_id, channel_id, start
LIMIT {limit:UInt32}
