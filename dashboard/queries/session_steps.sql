SELECT
    org_id, message_id, channel_id, session_id, old_status, new_status, updated_time, event_time, received_time,
    time_source, implied, out_of_order, contradiction, sent_to_delivered_ms, delivered_to_read_ms,
    dateDiff('millisecond', updated_time, received_time) AS heard_after_ms, raw_partition, raw_offset
FROM transitions
WHERE session_id = {id:String} AND ({org:String} = '' OR org_id = {org:String})
ORDER BY updated_time, raw_partition, raw_offset
LIMIT {limit:UInt32}
