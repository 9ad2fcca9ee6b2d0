-- Receipts of each channel in a period, with sketches to take quantiles from, and SENT by bucket.
SELECT
    org_id,
    channel_id,
    sum(windows.sent) AS sent,
    sum(windows.delivered) AS delivered,
    sum(windows.read) AS read,
    sum(windows.other) AS other,
    sum(windows.duplicates) AS duplicates,
    sum(windows.late) AS late,
    sum(windows.out_of_order) AS out_of_order,
    sum(windows.contradictions) AS contradictions,
    sumMap(sent_to_delivered_sketch) AS sent_to_delivered,
    sumMap(delivered_to_read_sketch) AS delivered_to_read,
    sumMap(map(
        toUInt32(intDiv(toUnixTimestamp64Milli(window_start) - {from:Int64}, {bucket:Int64})), windows.sent
    )) AS spark
FROM channel_windows AS windows
WHERE window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND window_start < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
GROUP BY org_id, channel_id
