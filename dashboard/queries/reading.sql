-- Only the messages that were read in the period are put together.
SELECT
    org_id,
    channel_id,
    count() AS reads,
    quantileExactOrNullIf(0.5)(dateDiff('millisecond', sent_time, read_time), isNotNull(sent_time) AND read_time >= sent_time)
        AS sent_to_read_p50_ms,
    quantileExactOrNullIf(0.95)(dateDiff('millisecond', sent_time, read_time), isNotNull(sent_time) AND read_time >= sent_time)
        AS sent_to_read_p95_ms
FROM message_state
WHERE (org_id, message_id) IN
    (
        SELECT org_id, message_id
        FROM transitions
        WHERE new_status = 'READ'
            AND updated_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
            AND updated_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
            AND ({org:String} = '' OR org_id = {org:String})
    )
    AND ({channel:String} = '' OR channel_id = {channel:String})
GROUP BY org_id, channel_id
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 2000000000
