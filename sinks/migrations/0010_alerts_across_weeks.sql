-- An alert's due_time, and so its week, may change between its rows, when a rule's `after` was edited: FINAL must merge
-- the partitions too.
CREATE OR REPLACE VIEW alerts AS
SELECT
    alert_id,
    rule,
    toString(state) AS state,
    followup,
    org_id,
    channel_id,
    session_id,
    message_id,
    due_time,
    nullIf(opened_time, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS opened_time,
    nullIf(resolved_time, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS resolved_time
FROM alerts_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 0;
