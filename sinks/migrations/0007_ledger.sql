-- The ledger: what became of the raw records received in [since, until), by org, channel and hour of receipt. Each has one
-- fate: raw = applied + duplicate + parked + other. Several rows of raw_events never share an offset.
-- SELECT * FROM ledger(since = '2026-01-01', until = '2026-02-01')
CREATE VIEW ledger AS
WITH
    parked AS
    (
        SELECT DISTINCT
            toUInt32(assumeNotNull(partition)) AS raw_partition, toUInt64(assumeNotNull(offset)) AS raw_offset, 1 AS parked
        FROM dead_letters
        WHERE stage = 'processor' AND topic = 'im.events.raw' AND partition IS NOT NULL AND offset IS NOT NULL
    ),
    kept AS
    (
        SELECT raw_partition, raw_offset, 1 AS applied
        FROM transitions
        WHERE received_time >= {since:DateTime64(3, 'UTC')}
            AND received_time < {until:DateTime64(3, 'UTC')}
    )
SELECT
    events.org_id AS org_id,
    events.channel_id AS channel_id,
    toDateTime64(toStartOfHour(events.received_time), 3, 'UTC') AS hour,
    count() AS raw,
    countIf(kept.applied = 1) AS applied,
    countIf(kept.applied = 0 AND events.tells_status AND parked.parked = 0) AS duplicate,
    countIf(kept.applied = 0 AND parked.parked = 1) AS parked,
    countIf(kept.applied = 0 AND NOT events.tells_status AND parked.parked = 0) AS other
FROM
(
    SELECT
        raw_partition, raw_offset, org_id, channel_id, received_time, status != '' AS tells_status
    FROM raw_events
    WHERE received_time >= {since:DateTime64(3, 'UTC')}
        AND received_time < {until:DateTime64(3, 'UTC')}
) AS events
LEFT JOIN kept ON kept.raw_partition = events.raw_partition AND kept.raw_offset = events.raw_offset
LEFT JOIN parked ON parked.raw_partition = events.raw_partition AND parked.raw_offset = events.raw_offset
GROUP BY org_id, channel_id, hour;

-- What the periodic audits found (AUDIT_EVERY): each difference with the check that named it, what it means, and the row
-- that shows it, as JSON.
CREATE TABLE audits_log
(
    audit_time DateTime64(3, 'UTC'),
    since DateTime64(3, 'UTC'),
    until DateTime64(3, 'UTC'),
    differences Array(Tuple(check String, meaning String, row String))
)
ENGINE = ReplacingMergeTree
ORDER BY audit_time
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW audits AS
SELECT audit_time, since, until, empty(differences) AS balanced, differences
FROM audits_log FINAL;
