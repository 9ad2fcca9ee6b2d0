-- Channels whose windows have not counted every status record once: accepted, duplicate or late.
WITH
    told AS
    (
        SELECT org_id, channel_id, count() AS receipts
        FROM raw_events
        WHERE status != ''
        GROUP BY org_id, channel_id
    ),
    counted AS
    (
        SELECT org_id, channel_id, sum(sent + delivered + read + other + duplicates + late) AS receipts
        FROM channel_windows
        GROUP BY org_id, channel_id
    )
SELECT org_id, channel_id, told.receipts AS expected, counted.receipts AS found
FROM told
FULL OUTER JOIN counted USING (org_id, channel_id)
WHERE told.receipts != counted.receipts
ORDER BY org_id, channel_id
LIMIT {limit:UInt32}
