SELECT
    toDateTime64(date_trunc({unit:String}, window_start, {tz:String}), 3, 'UTC') AS start,
    sum(windows.sent) AS sent,
    sum(windows.delivered) AS delivered,
    sum(windows.read) AS read,
    sum(windows.other) AS other,
    sum(windows.duplicates) AS duplicates,
    sum(windows.late) AS late,
    sumMap(sent_to_delivered_sketch) AS sent_to_delivered,
    sumMap(delivered_to_read_sketch) AS delivered_to_read
FROM channel_windows AS windows
WHERE window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND org_id = {org:String}
    AND channel_id = {channel:String}
GROUP BY start
ORDER BY start
