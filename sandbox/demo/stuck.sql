SELECT
    org_id,
    message_id,
    channel_type,
    sent_time,
    count() OVER () AS total
FROM message_state
WHERE status = 'SENT'
    AND sent_time < now64(3, 'UTC') - INTERVAL 15 MINUTE
    AND sent_time > now64(3, 'UTC') - INTERVAL 1 DAY
    AND channel_type IN ('WHATSAPP', 'FACEBOOKMESSENGER') -- those that tell DELIVERED
ORDER BY sent_time DESC, message_id
LIMIT 5
