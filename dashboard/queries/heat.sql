-- By the minute in which the message was read, so that every time zone's hours come out right.
SELECT
    toDayOfWeek(window_start, 0, {tz:String}) AS weekday,
    toHour(window_start, {tz:String}) AS hour,
    sum(windows.read) AS reads,
    sumMap(delivered_to_read_sketch) AS delivered_to_read
FROM channel_windows AS windows
WHERE window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND org_id = {org:String}
    AND channel_id = {channel:String}
GROUP BY weekday, hour
HAVING reads > 0
ORDER BY weekday, hour
