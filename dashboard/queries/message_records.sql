SELECT
    org_id, event_type, message_id, session_id, channel_id, received_time, source, raw_partition, raw_offset,
    substringUTF8(raw_events.body, 1, 20000) AS body
FROM raw_events
WHERE message_id = {id:String} AND ({org:String} = '' OR org_id = {org:String})
ORDER BY org_id, raw_partition, raw_offset
LIMIT {limit:UInt32} BY org_id
