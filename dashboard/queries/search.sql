SELECT 'message' AS kind, org_id, message_id AS id, channel_id, status, toUInt64(1) AS messages
FROM message_state
WHERE message_id = {id:String}
UNION ALL
SELECT 'session' AS kind, org_id, session_id AS id, any(transitions.channel_id) AS channel_id, '' AS status,
    uniqExact(message_id) AS messages
FROM transitions
WHERE session_id = {id:String}
GROUP BY org_id, session_id
UNION ALL
SELECT 'channel' AS kind, org_id, channel_id AS id, channel_id, '' AS status, toUInt64(0) AS messages
FROM coverage
WHERE channel_id = {id:String}
