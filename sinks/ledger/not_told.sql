-- Transitions whose raw record is not there, or tells something else. (One 64-bit hash of all that must agree keeps the set
-- small.)
SELECT kept.raw_partition AS raw_partition, kept.raw_offset AS raw_offset, kept.org_id AS org_id, kept.message_id AS message_id, kept.new_status AS status
FROM
(
    SELECT
        raw_partition, raw_offset, org_id, message_id, new_status,
        cityHash64(raw_partition, raw_offset, org_id, message_id, channel_id, session_id, new_status) AS fact
    FROM transitions
    WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
) AS kept
WHERE kept.fact NOT IN
(
    SELECT cityHash64(raw_partition, raw_offset, org_id, message_id, channel_id, session_id, status)
    FROM raw_events
    WHERE status != ''
        AND received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
)
ORDER BY raw_partition, raw_offset
LIMIT {limit:UInt32}
