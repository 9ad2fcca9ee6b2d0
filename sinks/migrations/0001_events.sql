-- Storage of what comes from Kafka. Readers use the views of the next files; these tables may hold a row twice for a while.
-- No identity may move between partitions: FINAL works on each partition alone. Transitions have none: a batch is then
-- one part, and message ids rise with time, so that FINAL has only the newest parts to merge.
-- On a cluster each table is spread by the expression in the comment above it.

-- shard: cityHash64(org_id, message_id)
CREATE TABLE raw_events_log
(
    org_id LowCardinality(String),
    event_type LowCardinality(String),
    message_id String,
    session_id String,
    channel_id LowCardinality(String),
    received_time DateTime64(3, 'UTC'),
    source LowCardinality(String),
    delivery String,
    raw_partition UInt32,
    raw_offset UInt64,
    body String,
    INDEX by_message message_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(received_time)
ORDER BY (raw_partition, raw_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- shard: cityHash64(org_id, message_id)
-- The lowest raw offset of an identity holds, also when a status comes again after its message was forgotten.
-- Null stands as a value that no clock or difference has, which costs no second column.
CREATE TABLE transitions_log
(
    org_id LowCardinality(String),
    channel_id LowCardinality(String),
    session_id String,
    message_id String,
    old_status LowCardinality(String),
    new_status LowCardinality(String),
    updated_time DateTime64(3, 'UTC'),
    event_time DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
    received_time DateTime64(3, 'UTC'),
    time_source Enum8('updated' = 1, 'event' = 2, 'received' = 3),
    implied UInt8,
    out_of_order Bool,
    contradiction Bool,
    sent_to_delivered_ms Int64 DEFAULT -9223372036854775808,
    delivered_to_read_ms Int64 DEFAULT -9223372036854775808,
    raw_partition UInt32,
    raw_offset UInt64,
    version UInt64 MATERIALIZED 18446744073709551615 - raw_offset,
    INDEX by_time updated_time TYPE minmax GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org_id, message_id, new_status)
SETTINGS non_replicated_deduplication_window = 10000;

-- shard: cityHash64(org_id, channel_id)
CREATE TABLE channel_windows_log
(
    org_id LowCardinality(String),
    channel_id LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    sent UInt64,
    delivered UInt64,
    read UInt64,
    other UInt64,
    duplicates UInt64,
    late UInt64,
    out_of_order UInt64,
    contradictions UInt64,
    negative_latencies UInt64,
    sent_to_delivered_p50_ms Float64 DEFAULT nan,
    sent_to_delivered_p95_ms Float64 DEFAULT nan,
    delivered_to_read_p50_ms Float64 DEFAULT nan,
    delivered_to_read_p95_ms Float64 DEFAULT nan,
    sent_to_delivered_sketch Map(UInt16, UInt64),
    delivered_to_read_sketch Map(UInt16, UInt64),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(window_start)
ORDER BY (org_id, channel_id, window_start)
SETTINGS non_replicated_deduplication_window = 10000;

-- shard: cityHash64(alert_id)
CREATE TABLE alerts_log
(
    alert_id String,
    rule LowCardinality(String),
    state Enum8('open' = 1, 'resolved' = 2, 'expired' = 3),
    followup Bool,
    org_id LowCardinality(String),
    channel_id LowCardinality(String),
    session_id String,
    message_id String,
    due_time DateTime64(3, 'UTC'),
    opened_time DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
    resolved_time DateTime64(3, 'UTC') DEFAULT toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
    version UInt8 MATERIALIZED toUInt8(state)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(due_time)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000;

-- shard: cityHash64(dead_partition, dead_offset)
CREATE TABLE dead_letters_log
(
    stage LowCardinality(String),
    reason LowCardinality(String),
    detail String,
    topic String,
    partition Int32 DEFAULT -1,
    offset Int64 DEFAULT -1,
    failed_at DateTime64(3, 'UTC'),
    key String,
    body String,
    body_encoding Enum8('text' = 1, 'base64' = 2) DEFAULT 'text',
    org_id LowCardinality(String),
    dead_partition UInt32,
    dead_offset UInt64,
    state Enum8('open' = 1, 'redriven' = 2, 'discarded' = 3) DEFAULT 'open',
    changed_time DateTime64(3, 'UTC') DEFAULT toDateTime64('1970-01-01 00:00:00', 3, 'UTC')
)
ENGINE = ReplacingMergeTree(changed_time)
PARTITION BY toMonday(failed_at)
ORDER BY (dead_partition, dead_offset)
SETTINGS non_replicated_deduplication_window = 10000;
