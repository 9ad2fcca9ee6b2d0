SELECT
    org_id, channel_id, channel_type, hour, sent, delivered, read, delivery_ratio, read_ratio, read_of_delivered, mature
FROM channel_rates
WHERE hour >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND hour < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND ({after_0:String} = '' OR (hour, org_id, channel_id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}, {after_2:String}))
ORDER BY hour DESC, org_id DESC, channel_id DESC
LIMIT {limit:UInt32}
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 2000000000
