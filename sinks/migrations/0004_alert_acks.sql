-- Who has seen to an alert. The latest word on an alert holds.

CREATE TABLE alert_acks_log
(
    alert_id String,
    acked_time DateTime64(3, 'UTC'),
    acked_by String,
    note String
)
ENGINE = ReplacingMergeTree(acked_time)
ORDER BY alert_id
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW alert_acks AS
SELECT alert_id, acked_time, acked_by, note
FROM alert_acks_log FINAL;
