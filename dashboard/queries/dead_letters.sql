SELECT
    id, stage, reason, detail, topic, partition, offset, failed_at, org_id, state,
    substringUTF8(dead_letters.body, 1, 20000) AS body, body_encoding, lengthUTF8(dead_letters.body) AS body_length
FROM dead_letters
WHERE ({id:String} = '' OR id = {id:String})
    AND ({id:String} != '' OR (
        failed_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
        AND failed_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')))
    AND ({stage:String} = '' OR stage = {stage:String})
    AND ({reason:String} = '' OR reason = {reason:String})
    AND ({state:String} = '' OR state = {state:String})
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({after_0:String} = '' OR (failed_at, id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}))
ORDER BY failed_at DESC, id DESC
LIMIT {limit:UInt32}
