SELECT
    alert_id, rule, state, followup, org_id, channel_id, session_id, message_id, due_time, opened_time, resolved_time
FROM alerts
WHERE due_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND due_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({state:String} = '' OR state = {state:String})
    AND ({followup:String} = '' OR followup = ({followup:String} = 'true'))
    AND ({rule:String} = '' OR rule = {rule:String})
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND ({after_0:String} = '' OR (due_time, alert_id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}))
ORDER BY due_time DESC, alert_id DESC
LIMIT {limit:UInt32}
