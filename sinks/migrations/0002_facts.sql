-- What other events tell of messages and channels. Filled by materialized views whose results are idempotent: the same
-- row twice gives the same first value, the same minimum, the same maximum. Nothing is summed on insert.

CREATE TABLE message_facts_log
(
    org_id String,
    message_id String,
    channel_id String,
    channel_type LowCardinality(String),
    direction LowCardinality(String),
    created_time DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
    raw_partition UInt32,
    raw_offset UInt64,
    version UInt64 MATERIALIZED 18446744073709551615 - raw_offset
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY cityHash64(org_id, message_id) % 8
ORDER BY (org_id, message_id);

CREATE MATERIALIZED VIEW message_facts_feed TO message_facts_log AS
SELECT
    org_id,
    message_id,
    channel_id,
    upper(JSONExtractString(body, 'payload', 'integration')) AS channel_type,
    upper(JSONExtractString(body, 'payload', 'direction')) AS direction,
    -- Epoch milliseconds as text; as a number in some of the source's examples.
    if(
        match(created, '^[0-9]{1,13}$'),
        fromUnixTimestamp64Milli(toInt64OrZero(created), 'UTC'),
        toDateTime64('1900-01-01 00:00:00', 3, 'UTC')
    ) AS created_time,
    raw_partition,
    raw_offset
FROM
(
    SELECT *, trim(BOTH '"' FROM JSONExtractRaw(body, 'payload', 'createdTime')) AS created
    FROM raw_events_log
    WHERE event_type = 'IM_Message_Add' AND message_id != ''
);

CREATE TABLE channel_facts_log
(
    org_id String,
    channel_id String,
    channel_type SimpleAggregateFunction(max, String),
    first_heard SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_heard SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    statuses SimpleAggregateFunction(groupUniqArrayArray, Array(String))
)
ENGINE = AggregatingMergeTree
ORDER BY (org_id, channel_id);

CREATE MATERIALIZED VIEW channel_facts_from_transitions TO channel_facts_log AS
SELECT
    org_id,
    channel_id,
    '' AS channel_type,
    min(received_time) AS first_heard,
    max(received_time) AS last_heard,
    groupUniqArray(toString(new_status)) AS statuses
FROM transitions_log
GROUP BY org_id, channel_id;

CREATE MATERIALIZED VIEW channel_facts_from_messages TO channel_facts_log AS
SELECT
    org_id,
    channel_id,
    max(upper(JSONExtractString(body, 'payload', 'integration'))) AS channel_type,
    min(received_time) AS first_heard,
    max(received_time) AS last_heard,
    CAST([], 'Array(String)') AS statuses
FROM raw_events_log
WHERE event_type = 'IM_Message_Add' AND channel_id != ''
GROUP BY org_id, channel_id;
