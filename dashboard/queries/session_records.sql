SELECT
    org_id, event_type, message_id, session_id, channel_id, received_time, source, raw_partition, raw_offset,
    substringUTF8(raw_events.body, 1, 20000) AS body
FROM raw_events
WHERE session_id = {id:String} AND event_type != 'IM_Message_Status' AND ({org:String} = '' OR org_id = {org:String})
ORDER BY received_time, raw_partition, raw_offset
LIMIT {limit:UInt32}
