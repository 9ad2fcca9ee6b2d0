-- Of a short period only the messages that were read in it are put together; of a long one that is most of them.
SELECT
    org_id,
    channel_id,
    count() AS reads,
    quantileExactOrNullIf(0.5)(read_ms - sent_ms, read_ms >= sent_ms) AS sent_to_read_p50_ms,
    quantileExactOrNullIf(0.95)(read_ms - sent_ms, read_ms >= sent_ms) AS sent_to_read_p95_ms
FROM message_times
WHERE read_ms >= {from:Int64}
    AND read_ms < {to:Int64}
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND (NOT {short:Bool} OR (org_id, message_id) IN
    (
        SELECT org_id, message_id
        FROM transitions
        WHERE {short:Bool}
            AND new_status = 'READ'
            AND updated_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
            AND updated_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
            AND ({org:String} = '' OR org_id = {org:String})
    ))
GROUP BY org_id, channel_id
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 2000000000
