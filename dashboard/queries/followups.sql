-- The view puts each alert's message together: those of this page alone.
SELECT
    alert_id, rule, org_id, channel_id, session_id, message_id, due_time, opened_time, status, sent_time, delivered_time
FROM followups
WHERE (org_id, message_id) IN
    (
        SELECT org_id, message_id
        FROM alerts
        WHERE state = 'open'
            AND followup
            AND due_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
            AND due_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
            AND ({org:String} = '' OR org_id = {org:String})
            AND ({channel:String} = '' OR channel_id = {channel:String})
            AND ({after_0:String} = '' OR (due_time, alert_id)
                < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}))
        ORDER BY due_time DESC, alert_id DESC
        LIMIT {limit:UInt32}
    )
    AND due_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND due_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND ({after_0:String} = '' OR (due_time, alert_id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}))
ORDER BY due_time DESC, alert_id DESC
LIMIT {limit:UInt32}
