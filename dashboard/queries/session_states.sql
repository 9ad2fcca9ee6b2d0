SELECT
    org_id, message_id, channel_id, session_id, status, sent_time, delivered_time, read_time, delivered_implied,
    channel_type, direction, created_time
FROM message_state
WHERE (org_id, message_id) IN
    (
        SELECT org_id, message_id
        FROM transitions
        WHERE session_id = {id:String} AND ({org:String} = '' OR org_id = {org:String})
    )
ORDER BY org_id, ifNull(sent_time, ifNull(delivered_time, read_time)), message_id
LIMIT {limit:UInt32}
