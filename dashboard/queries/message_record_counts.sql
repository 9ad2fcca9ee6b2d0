SELECT org_id, count() AS records, countIf(event_type = 'IM_Message_Status') AS statuses
FROM raw_events
WHERE message_id = {id:String} AND ({org:String} = '' OR org_id = {org:String})
GROUP BY org_id
