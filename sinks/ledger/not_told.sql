-- Transitions whose raw record is not there, or tells something else.
SELECT kept.raw_partition AS raw_partition, kept.raw_offset AS raw_offset, kept.org_id AS org_id, kept.message_id AS message_id, kept.new_status AS status
FROM
(
    SELECT *
    FROM transitions
    WHERE received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
) AS kept
LEFT ANTI JOIN
(
    SELECT raw_partition, raw_offset, org_id, message_id, JSONExtractString(body, 'payload', 'messageNewStatus', 'status') AS status
    FROM raw_events
    WHERE event_type = 'IM_Message_Status' AND message_id != ''
        AND received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
) AS events
ON events.raw_partition = kept.raw_partition AND events.raw_offset = kept.raw_offset AND events.org_id = kept.org_id
    AND events.message_id = kept.message_id AND events.status = kept.new_status
ORDER BY raw_partition, raw_offset
LIMIT {limit:UInt32}
