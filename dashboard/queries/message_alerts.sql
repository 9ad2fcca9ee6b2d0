SELECT
    alert_id, rule, state, followup, org_id, channel_id, session_id, message_id, due_time, opened_time, resolved_time
FROM alerts
WHERE message_id = {id:String} AND ({org:String} = '' OR org_id = {org:String})
ORDER BY org_id, due_time
