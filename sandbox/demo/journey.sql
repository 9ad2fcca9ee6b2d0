-- The statuses of the message whose story is the longest: told in the wrong order, contradicted, complete.
SELECT
    org_id,
    message_id,
    old_status,
    new_status,
    updated_time,
    received_time,
    implied,
    out_of_order,
    contradiction,
    sent_to_delivered_ms,
    delivered_to_read_ms
FROM transitions
WHERE (org_id, message_id) IN
(
    SELECT org_id, message_id
    FROM transitions
    GROUP BY org_id, message_id
    ORDER BY uniqExact(new_status) + sum(out_of_order) + sum(contradiction) DESC, org_id, message_id
    LIMIT 1
)
ORDER BY raw_offset
