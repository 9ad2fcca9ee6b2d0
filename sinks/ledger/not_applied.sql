-- Status records whose status no transition has, or only a later one. (64-bit hashes of the identities keep the join small.)
WITH kept AS
(
    SELECT cityHash64(org_id, message_id, new_status) AS identity, raw_offset, raw_partition
    FROM transitions
)
SELECT
    events.raw_partition AS raw_partition,
    events.raw_offset AS raw_offset,
    org_id,
    message_id,
    status,
    if(kept.identity = 0, NULL, kept.raw_offset) AS found_offset
FROM
(
    SELECT
        raw_partition,
        raw_offset,
        org_id,
        message_id,
        status,
        cityHash64(org_id, message_id, status) AS identity
    FROM raw_events
    WHERE status != ''
        AND received_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
        AND received_time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
) AS events
LEFT JOIN kept ON kept.identity = events.identity
WHERE kept.identity = 0 OR kept.raw_offset > events.raw_offset OR kept.raw_partition != events.raw_partition
ORDER BY raw_partition, raw_offset
LIMIT {limit:UInt32}
