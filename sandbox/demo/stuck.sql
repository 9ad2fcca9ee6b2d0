SELECT
    org_id,
    message_id,
    channel_type,
    since,
    count() OVER () AS total
FROM open_messages
WHERE stuck AND since > now64(3, 'UTC') - INTERVAL 1 DAY
ORDER BY since DESC, message_id
LIMIT 5
