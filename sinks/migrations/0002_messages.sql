-- What is known of messages and channels, kept up by materialized views whose results are idempotent: the same row twice,
-- or late, gives the same minimum and the same maximum. Nothing is summed on insert.

-- Of each message, what its lowest raw offsets told. A value is stored behind the offset that told it, so that the
-- minimum is the first one: a time as offset * 2^64 + epoch milliseconds, a text behind the 8 bytes of its offset, the
-- highest first. What nobody told is the highest value there is. (Pairs of offset and value would read better, but merging
-- them takes twice as long, and a query with FINAL that names only a part of a pair merges that part alone.)
-- shard: cityHash64(org_id, message_id)
CREATE TABLE message_state_log
(
    org_id LowCardinality(String),
    message_id String,
    channel SimpleAggregateFunction(min, String) DEFAULT '\xFF',
    session SimpleAggregateFunction(min, String) DEFAULT '\xFF',
    sent SimpleAggregateFunction(min, UInt128) DEFAULT bitNot(toUInt128(0)),
    delivered SimpleAggregateFunction(min, UInt128) DEFAULT bitNot(toUInt128(0)),
    read SimpleAggregateFunction(min, UInt128) DEFAULT bitNot(toUInt128(0)),
    -- The first status off the ladder.
    other SimpleAggregateFunction(min, String) DEFAULT '\xFF',
    -- From IM_Message_Add: 8 bytes of epoch milliseconds (-1: not told), the channel's type, a tabulator, the direction.
    creation SimpleAggregateFunction(min, String) DEFAULT '\xFF',
    last_received SimpleAggregateFunction(max, DateTime('UTC')),
    INDEX by_session substring(session, 9) TYPE bloom_filter GRANULARITY 1
)
ENGINE = AggregatingMergeTree
ORDER BY (org_id, message_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW message_state_from_transitions TO message_state_log AS
WITH
    reinterpretAsFixedString(byteSwap(raw_offset)) AS place,
    bitShiftLeft(toUInt128(raw_offset), 64) + toUInt64(toUnixTimestamp64Milli(updated_time)) AS moment,
    bitNot(toUInt128(0)) AS untold
SELECT
    org_id,
    message_id,
    concat(place, channel_id) AS channel,
    concat(place, session_id) AS session,
    if(new_status = 'SENT', moment, untold) AS sent,
    if(new_status = 'DELIVERED', moment, untold) AS delivered,
    if(new_status = 'READ', moment, untold) AS read,
    if(new_status IN ('SENT', 'DELIVERED', 'READ'), '\xFF', concat(place, new_status)) AS other,
    toDateTime(received_time, 'UTC') AS last_received
FROM transitions_log;

CREATE MATERIALIZED VIEW message_state_from_messages TO message_state_log AS
SELECT
    org_id,
    message_id,
    concat(
        reinterpretAsFixedString(byteSwap(raw_offset)),
        -- Epoch milliseconds as text; as a number in some of the source's examples.
        reinterpretAsFixedString(if(match(created, '^[0-9]{1,13}$'), toInt64OrZero(created), toInt64(-1))),
        upper(JSONExtractString(body, 'payload', 'integration')),
        '\t',
        upper(JSONExtractString(body, 'payload', 'direction'))
    ) AS creation,
    toDateTime(received_time, 'UTC') AS last_received
FROM
(
    SELECT *, trim(BOTH '"' FROM JSONExtractRaw(body, 'payload', 'createdTime')) AS created
    FROM raw_events_log
    WHERE event_type = 'IM_Message_Add' AND message_id != ''
);

-- shard: cityHash64(org_id, channel_id)
CREATE TABLE channel_facts_log
(
    org_id LowCardinality(String),
    channel_id LowCardinality(String),
    channel_type SimpleAggregateFunction(max, String),
    first_heard SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_heard SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    statuses SimpleAggregateFunction(groupUniqArrayArray, Array(String))
)
ENGINE = AggregatingMergeTree
ORDER BY (org_id, channel_id)
SETTINGS non_replicated_deduplication_window = 10000;

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

-- What a person or Zoho's list of channels told of a channel. The latest word holds.
-- shard: cityHash64(org_id, channel_id)
CREATE TABLE channels_log
(
    org_id LowCardinality(String),
    channel_id LowCardinality(String),
    channel_type LowCardinality(String),
    name String,
    account_name String,
    department_id String,
    active Bool DEFAULT true,
    source Enum8('file' = 1, 'zoho' = 2),
    changed_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(changed_time)
ORDER BY (org_id, channel_id)
SETTINGS non_replicated_deduplication_window = 10000;
