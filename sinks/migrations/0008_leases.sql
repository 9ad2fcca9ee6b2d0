-- Who works alone on something now, and until when. Whoever finds another's lease in force after writing his own withdraws.
-- shard: cityHash64(name)
CREATE TABLE leases_log
(
    name LowCardinality(String),
    holder String,
    ends DateTime64(3, 'UTC'),
    changed_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(changed_time)
ORDER BY (name, holder)
TTL toDateTime(ends) + INTERVAL 1 DAY
SETTINGS non_replicated_deduplication_window = 10000;
