SELECT
    org_id, channel_id, window_start, sent, delivered, read, other, duplicates, late, out_of_order, contradictions,
    negative_latencies, sent_to_delivered_p50_ms, sent_to_delivered_p95_ms, delivered_to_read_p50_ms,
    delivered_to_read_p95_ms
FROM channel_windows
WHERE window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND ({after_0:String} = '' OR (window_start, org_id, channel_id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}, {after_2:String}))
ORDER BY window_start DESC, org_id DESC, channel_id DESC
LIMIT {limit:UInt32}
