-- A message waits since one of its own statuses: of a short period only those with a status in it are put together.
SELECT
    org_id,
    channel_id,
    if(open_messages.channel_type = '', 'UNKNOWN', open_messages.channel_type) AS channel_type,
    session_id,
    message_id,
    status,
    since,
    age_seconds,
    stuck,
    can_report_delivered,
    can_report_read
FROM open_messages
WHERE (NOT {short:Bool} OR (org_id, message_id) IN
    (
        SELECT org_id, message_id
        FROM transitions
        WHERE {short:Bool}
            AND updated_time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
            AND updated_time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
            AND ({org:String} = '' OR org_id = {org:String})
    ))
    AND since >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND since < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
    AND multiIf(
        {state:String} = 'stuck', stuck,
        {state:String} = 'unread',
            can_report_read AND (status = 'DELIVERED' OR (status = 'SENT' AND NOT can_report_delivered)),
        true
    )
    AND ({after_0:String} = '' OR (since, org_id, message_id)
        < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}, {after_2:String}))
ORDER BY since DESC, org_id DESC, message_id DESC
LIMIT {limit:UInt32}
SETTINGS max_bytes_before_external_group_by = 2000000000
