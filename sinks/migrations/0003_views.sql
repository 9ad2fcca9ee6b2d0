-- What readers use: exactly one row for each identity.

CREATE VIEW raw_events AS
SELECT org_id, event_type, message_id, session_id, channel_id, received_time, source, delivery, raw_partition, raw_offset, body
FROM raw_events_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW transitions AS
SELECT
    org_id,
    channel_id,
    session_id,
    message_id,
    old_status,
    new_status,
    updated_time,
    nullIf(event_time, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS event_time,
    received_time,
    toString(time_source) AS time_source,
    implied,
    out_of_order,
    contradiction,
    nullIf(sent_to_delivered_ms, -9223372036854775808) AS sent_to_delivered_ms,
    nullIf(delivered_to_read_ms, -9223372036854775808) AS delivered_to_read_ms,
    raw_partition,
    raw_offset
FROM transitions_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW channel_windows AS
SELECT
    org_id,
    channel_id,
    window_start,
    sent,
    delivered,
    read,
    other,
    duplicates,
    late,
    out_of_order,
    contradictions,
    negative_latencies,
    if(isNaN(sent_to_delivered_p50_ms), NULL, sent_to_delivered_p50_ms) AS sent_to_delivered_p50_ms,
    if(isNaN(sent_to_delivered_p95_ms), NULL, sent_to_delivered_p95_ms) AS sent_to_delivered_p95_ms,
    if(isNaN(delivered_to_read_p50_ms), NULL, delivered_to_read_p50_ms) AS delivered_to_read_p50_ms,
    if(isNaN(delivered_to_read_p95_ms), NULL, delivered_to_read_p95_ms) AS delivered_to_read_p95_ms,
    sent_to_delivered_sketch,
    delivered_to_read_sketch,
    version
FROM channel_windows_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW alerts AS
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
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW dead_letters AS
SELECT
    concat(toString(dead_partition), '-', toString(dead_offset)) AS id,
    stage,
    reason,
    detail,
    topic,
    if(partition < 0, NULL, partition) AS partition,
    if(offset < 0, NULL, offset) AS offset,
    failed_at,
    key,
    body,
    toString(body_encoding) AS body_encoding,
    org_id,
    toString(state) AS state,
    dead_partition,
    dead_offset
FROM dead_letters_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Of each channel: what it reports. A type that is known to report a status can; any other type can report what it has
-- ever told.
CREATE VIEW coverage AS
SELECT
    org_id,
    channel_id,
    if(type = '', 'UNKNOWN', type) AS channel_type,
    first_heard,
    last_heard,
    arraySort(told) AS statuses,
    multiIf(type IN ('WHATSAPP', 'FACEBOOKMESSENGER'), true, type = 'INSTAGRAM', false, has(told, 'DELIVERED'))
        AS can_report_delivered,
    multiIf(type IN ('WHATSAPP', 'FACEBOOKMESSENGER', 'INSTAGRAM'), true, has(told, 'READ')) AS can_report_read
FROM
(
    SELECT
        org_id,
        channel_id,
        max(channel_type) AS type,
        min(channel_facts_log.first_heard) AS first_heard,
        max(channel_facts_log.last_heard) AS last_heard,
        groupUniqArrayArray(channel_facts_log.statuses) AS told
    FROM channel_facts_log
    GROUP BY org_id, channel_id
);

CREATE VIEW channels AS
SELECT channel_id, channel_type AS type, '' AS name, org_id
FROM coverage;

-- A message known only from its creation has no row. The lowest offset of each status holds, whatever has been merged.
CREATE VIEW message_state AS
SELECT
    org_id,
    message_id,
    argMinIf(channel_id, raw_offset, told) AS channel_id,
    argMinIf(session_id, raw_offset, told) AS session_id,
    multiIf(
        countIf(new_status = 'READ') > 0, 'READ',
        countIf(new_status = 'DELIVERED') > 0, 'DELIVERED',
        countIf(new_status = 'SENT') > 0, 'SENT',
        argMinIf(new_status, raw_offset, told)
    ) AS status,
    if(countIf(new_status = 'SENT') > 0, argMinIf(updated_time, raw_offset, new_status = 'SENT'), NULL) AS sent_time,
    if(countIf(new_status = 'DELIVERED') > 0, argMinIf(updated_time, raw_offset, new_status = 'DELIVERED'), NULL)
        AS delivered_time,
    if(countIf(new_status = 'READ') > 0, argMinIf(updated_time, raw_offset, new_status = 'READ'), NULL) AS read_time,
    toBool(countIf(new_status = 'READ') > 0 AND countIf(new_status = 'DELIVERED') = 0) AS delivered_implied,
    argMinIf(channel_type, raw_offset, NOT told) AS channel_type,
    argMinIf(direction, raw_offset, NOT told) AS direction,
    if(
        countIf(NOT told AND updated_time > toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) > 0,
        argMinIf(updated_time, raw_offset, NOT told),
        NULL
    ) AS created_time
FROM
(
    SELECT
        org_id, message_id, true AS told, channel_id, session_id, toString(new_status) AS new_status, updated_time,
        raw_offset, '' AS channel_type, '' AS direction
    FROM transitions_log
    UNION ALL
    SELECT
        org_id, message_id, false AS told, channel_id, '' AS session_id, '' AS new_status, created_time AS updated_time,
        raw_offset, toString(channel_type) AS channel_type, toString(direction) AS direction
    FROM message_facts_log
)
GROUP BY org_id, message_id
HAVING countIf(told) > 0;

CREATE VIEW channel_rates AS
WITH
    cohorts AS
    (
        SELECT
            org_id,
            channel_id,
            toStartOfHour(
                assumeNotNull(
                    coalesce(sent_time, least(ifNull(delivered_time, read_time), ifNull(read_time, delivered_time)))
                )
            ) AS hour,
            count() AS sent,
            countIf(delivered_time IS NOT NULL OR read_time IS NOT NULL) AS delivered,
            countIf(read_time IS NOT NULL) AS read
        FROM message_state
        WHERE sent_time IS NOT NULL OR delivered_time IS NOT NULL OR read_time IS NOT NULL
        GROUP BY org_id, channel_id, hour
    ),
    patience AS
    (
        SELECT org_id, channel_id, quantileExact(0.95)(read_time - sent_time) AS seconds
        FROM message_state
        WHERE sent_time IS NOT NULL AND read_time >= now() - INTERVAL 30 DAY
        GROUP BY org_id, channel_id
        HAVING count() >= 100
    )
SELECT
    cohorts.org_id AS org_id,
    cohorts.channel_id AS channel_id,
    if(coverage.channel_type = '', 'UNKNOWN', coverage.channel_type) AS channel_type,
    toDateTime64(cohorts.hour, 3, 'UTC') AS hour,
    cohorts.sent AS sent,
    cohorts.delivered AS delivered,
    cohorts.read AS read,
    if(coverage.can_report_delivered, cohorts.delivered / cohorts.sent, NULL) AS delivery_ratio,
    if(coverage.can_report_read, cohorts.read / cohorts.sent, NULL) AS read_ratio,
    if(
        coverage.can_report_delivered AND coverage.can_report_read AND cohorts.delivered > 0,
        cohorts.read / cohorts.delivered,
        NULL
    ) AS read_of_delivered,
    -- The hour has ended longer ago than the channel's readers usually take.
    toBool(
        now64(3, 'UTC')
        > cohorts.hour + INTERVAL 1 HOUR
            + toIntervalMillisecond(if(patience.org_id = '', 86400000, toInt64(patience.seconds * 1000)))
    ) AS mature
FROM cohorts
LEFT JOIN coverage ON coverage.org_id = cohorts.org_id AND coverage.channel_id = cohorts.channel_id
LEFT JOIN patience ON patience.org_id = cohorts.org_id AND patience.channel_id = cohorts.channel_id;

-- How long readers take, by the hour in which they read.
CREATE VIEW time_to_read AS
SELECT
    org_id,
    channel_id,
    toDateTime64(toStartOfHour(assumeNotNull(read_time)), 3, 'UTC') AS hour,
    count() AS reads,
    quantileIf(0.5)(toFloat64(read_time - sent_time) * 1000, sent_time IS NOT NULL AND read_time >= sent_time)
        AS sent_to_read_p50_ms,
    quantileIf(0.95)(toFloat64(read_time - sent_time) * 1000, sent_time IS NOT NULL AND read_time >= sent_time)
        AS sent_to_read_p95_ms,
    quantileIf(0.5)(toFloat64(read_time - delivered_time) * 1000, delivered_time IS NOT NULL AND read_time >= delivered_time)
        AS delivered_to_read_p50_ms,
    quantileIf(0.95)(toFloat64(read_time - delivered_time) * 1000, delivered_time IS NOT NULL AND read_time >= delivered_time)
        AS delivered_to_read_p95_ms
FROM message_state
WHERE read_time IS NOT NULL
GROUP BY org_id, channel_id, hour;

-- Messages that nobody has read yet, by how long they have been waiting.
CREATE VIEW open_messages AS
SELECT
    message_state.org_id AS org_id,
    message_state.channel_id AS channel_id,
    message_state.session_id AS session_id,
    message_state.message_id AS message_id,
    message_state.status AS status,
    assumeNotNull(if(message_state.status = 'DELIVERED', delivered_time, sent_time)) AS since,
    dateDiff('second', since, now64(3, 'UTC')) AS age_seconds,
    coverage.channel_type AS channel_type,
    coverage.can_report_delivered AS can_report_delivered,
    coverage.can_report_read AS can_report_read,
    toBool(message_state.status = 'SENT' AND coverage.can_report_delivered AND age_seconds > 900) AS stuck
FROM message_state
LEFT JOIN coverage ON coverage.org_id = message_state.org_id AND coverage.channel_id = message_state.channel_id
WHERE message_state.status IN ('SENT', 'DELIVERED');

CREATE VIEW followups AS
SELECT
    alerts.alert_id AS alert_id,
    alerts.rule AS rule,
    alerts.org_id AS org_id,
    alerts.channel_id AS channel_id,
    alerts.session_id AS session_id,
    alerts.message_id AS message_id,
    alerts.due_time AS due_time,
    alerts.opened_time AS opened_time,
    message_state.status AS status,
    message_state.sent_time AS sent_time,
    message_state.delivered_time AS delivered_time
FROM alerts
LEFT JOIN message_state ON message_state.org_id = alerts.org_id AND message_state.message_id = alerts.message_id
WHERE alerts.state = 'open' AND alerts.followup;
