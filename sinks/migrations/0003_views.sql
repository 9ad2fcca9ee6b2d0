-- What readers use: exactly one row for each identity.

CREATE VIEW raw_events AS
SELECT
    org_id,
    event_type,
    message_id,
    session_id,
    channel_id,
    received_time,
    source,
    delivery,
    raw_partition,
    raw_offset,
    body
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
FROM transitions_log FINAL;

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

-- A worker that dies after parking a record parks it again: the first letter of a record stands for all.
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
FROM
(
    SELECT *
    FROM dead_letters_log FINAL
    ORDER BY dead_partition, dead_offset
    LIMIT 1 BY stage, reason, detail, topic, partition, offset, if(offset < 0, (dead_partition, dead_offset), (0, 0))
)
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Of each channel that was heard: what it reports. A type that is known to report a status can; any other type can report
-- what it has ever told. The type is what events told, else what a file or Zoho's list did.
CREATE VIEW coverage AS
SELECT
    heard.org_id AS org_id,
    heard.channel_id AS channel_id,
    multiIf(heard.type != '', heard.type, listed.channel_type != '', listed.channel_type, 'UNKNOWN') AS channel_type,
    heard.first_heard AS first_heard,
    heard.last_heard AS last_heard,
    arraySort(heard.told) AS statuses,
    multiIf(
        channel_type IN ('WHATSAPP', 'FACEBOOKMESSENGER'), true,
        channel_type = 'INSTAGRAM', false,
        has(heard.told, 'DELIVERED')
    ) AS can_report_delivered,
    multiIf(channel_type IN ('WHATSAPP', 'FACEBOOKMESSENGER', 'INSTAGRAM'), true, has(heard.told, 'READ'))
        AS can_report_read
FROM
(
    SELECT
        org_id,
        channel_id,
        max(channel_type) AS type,
        min(facts.first_heard) AS first_heard,
        max(facts.last_heard) AS last_heard,
        groupUniqArrayArray(facts.statuses) AS told
    FROM channel_facts_log AS facts
    GROUP BY org_id, channel_id
) AS heard
LEFT JOIN
(
    SELECT org_id, channel_id, toString(channel_type) AS channel_type
    FROM channels_log FINAL
) AS listed ON listed.org_id = heard.org_id AND listed.channel_id = heard.channel_id;

-- Every channel that was heard or listed.
CREATE VIEW channels AS
SELECT
    channel_id,
    multiIf(max(told_type) != '', max(told_type), max(listed_type) != '', max(listed_type), 'UNKNOWN') AS type,
    max(listed_name) AS name,
    org_id,
    max(listed_account) AS account_name,
    max(listed_department) AS department_id,
    toBool(max(is_listed) = 0 OR max(is_active) = 1) AS active,
    toBool(max(is_listed) = 1) AS listed
FROM
(
    SELECT
        org_id, channel_id, channel_type AS told_type, '' AS listed_type, '' AS listed_name, '' AS listed_account,
        '' AS listed_department, 0 AS is_listed, 0 AS is_active
    FROM channel_facts_log
    UNION ALL
    SELECT
        org_id, channel_id, '' AS told_type, toString(channel_type) AS listed_type, name AS listed_name,
        account_name AS listed_account, department_id AS listed_department, 1 AS is_listed, toUInt8(active) AS is_active
    FROM channels_log FINAL
)
GROUP BY org_id, channel_id;

-- What of each message is known: the first channel and session, times in epoch milliseconds (NULL: not told). Readers use
-- message_state; the views that answer questions over all messages use this one, which computes only what they name.
CREATE VIEW message_times AS
WITH
    bitNot(toUInt128(0)) AS untold,
    splitByChar('\t', substring(creation, 17)) AS created
SELECT
    org_id,
    message_id,
    substring(channel, 9) AS channel_id,
    substring(session, 9) AS session_id,
    if(sent = untold, NULL, reinterpretAsInt64(sent)) AS sent_ms,
    if(delivered = untold, NULL, reinterpretAsInt64(delivered)) AS delivered_ms,
    if(read = untold, NULL, reinterpretAsInt64(read)) AS read_ms,
    -- The time of its cohort: that of SENT, else the earliest.
    coalesce(sent_ms, least(ifNull(delivered_ms, read_ms), ifNull(read_ms, delivered_ms))) AS first_ms,
    substring(other, 9) AS other_status,
    created[1] AS channel_type,
    created[2] AS direction,
    if(creation = '\xFF' OR reinterpretAsInt64(substring(creation, 9, 8)) < 0, NULL,
        reinterpretAsInt64(substring(creation, 9, 8))) AS created_ms
FROM message_state_log FINAL
WHERE channel != '\xFF';

-- A message known only from its creation has no row.
CREATE VIEW message_state AS
SELECT
    org_id,
    message_id,
    channel_id,
    session_id,
    multiIf(
        read_ms IS NOT NULL, 'READ', delivered_ms IS NOT NULL, 'DELIVERED', sent_ms IS NOT NULL, 'SENT', other_status
    ) AS status,
    fromUnixTimestamp64Milli(sent_ms, 'UTC') AS sent_time,
    fromUnixTimestamp64Milli(delivered_ms, 'UTC') AS delivered_time,
    fromUnixTimestamp64Milli(read_ms, 'UTC') AS read_time,
    toBool(read_ms IS NOT NULL AND delivered_ms IS NULL) AS delivered_implied,
    channel_type,
    direction,
    fromUnixTimestamp64Milli(created_ms, 'UTC') AS created_time
FROM message_times;
