-- Letters of the processor whose raw record is not there, and raw records that nothing was made of.
SELECT 'letter' AS what, toUInt32(assumeNotNull(partition)) AS raw_partition, toUInt64(assumeNotNull(offset)) AS raw_offset, reason AS detail
FROM dead_letters
WHERE stage = 'processor' AND topic = 'im.events.raw' AND partition IS NOT NULL AND reason != 'bad_origin'
    AND failed_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND failed_at < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    AND (raw_partition, raw_offset) NOT IN (SELECT raw_partition, raw_offset FROM raw_events)
UNION ALL
SELECT 'record' AS what, raw_partition, raw_offset, event_type AS detail
FROM raw_events
WHERE event_type IN ('', 'IM_Message_Status') AND message_id = ''
    AND received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
    AND (raw_partition, raw_offset) NOT IN
    (
        SELECT toUInt32(assumeNotNull(partition)), toUInt64(assumeNotNull(offset))
        FROM dead_letters
        WHERE stage IN ('processor', 'sink') AND partition IS NOT NULL AND offset IS NOT NULL
    )
ORDER BY raw_partition, raw_offset
LIMIT {limit:UInt32}
