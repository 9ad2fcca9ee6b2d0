-- Questions that name messages, and those after what waits, with less work. The answers stay the same.

-- Conditions on the key hold before FINAL as they do after it: of messages that nobody asked for, the key alone is read.
CREATE OR REPLACE VIEW transitions AS
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
SETTINGS optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW message_times AS
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
WHERE channel != '\xFF'
SETTINGS optimize_move_to_prewhere_if_final = 1;

-- How many messages wait, and for how long. Counted first: what a channel can report is then looked up once for each row.
CREATE OR REPLACE VIEW open_by_age AS
SELECT
    waiting.org_id AS org_id,
    waiting.channel_id AS channel_id,
    if(coverage.channel_type = '', 'UNKNOWN', coverage.channel_type) AS channel_type,
    if(waiting.has_arrived, 'DELIVERED', 'SENT') AS status,
    ['under 15 min', '15 min to 1 h', '1 h to 6 h', '6 h to 24 h', '1 to 7 days', 'over 7 days'][1 + waiting.step] AS age,
    waiting.messages AS messages,
    if(coverage.can_report_delivered AND NOT waiting.has_arrived, waiting.overdue, 0) AS stuck,
    fromUnixTimestamp64Milli(waiting.since_ms, 'UTC') AS oldest
FROM
(
    WITH
        assumeNotNull(coalesce(delivered_ms, sent_ms)) AS since,
        toUnixTimestamp(now()) - intDiv(since - positiveModulo(since, 1000), 1000) AS age_s
    SELECT
        org_id,
        channel_id,
        delivered_ms IS NOT NULL AS has_arrived,
        (age_s >= 900) + (age_s >= 3600) + (age_s >= 21600) + (age_s >= 86400) + (age_s >= 604800) AS step,
        count() AS messages,
        countIf(age_s > 900) AS overdue,
        min(since) AS since_ms
    FROM message_times
    WHERE read_ms IS NULL AND (sent_ms IS NOT NULL OR delivered_ms IS NOT NULL)
    GROUP BY org_id, channel_id, has_arrived, step
) AS waiting
LEFT JOIN coverage ON coverage.org_id = waiting.org_id AND coverage.channel_id = waiting.channel_id;

-- How long delivery takes, by the hour of the delivery. Negative times stay out of the quantiles, which share one state.
CREATE OR REPLACE VIEW time_to_deliver AS
SELECT
    org_id,
    channel_id,
    fromUnixTimestamp64Milli(hour_ms, 'UTC') AS hour,
    deliveries,
    if(timed = 0, NULL, took[1]) AS sent_to_delivered_p50_ms,
    if(timed = 0, NULL, took[2]) AS sent_to_delivered_p95_ms
FROM
(
    SELECT
        org_id,
        channel_id,
        assumeNotNull(delivered_ms) - positiveModulo(assumeNotNull(delivered_ms), 3600000) AS hour_ms,
        count() AS deliveries,
        countIf(delivered_ms >= sent_ms) AS timed,
        quantilesIf(0.5, 0.95)(assumeNotNull(delivered_ms - sent_ms), ifNull(delivered_ms >= sent_ms, false)) AS took
    FROM message_times
    WHERE delivered_ms IS NOT NULL
    GROUP BY org_id, channel_id, hour_ms
);

-- How long readers take, by the hour in which they read.
CREATE OR REPLACE VIEW time_to_read AS
SELECT
    org_id,
    channel_id,
    fromUnixTimestamp64Milli(hour_ms, 'UTC') AS hour,
    reads,
    if(timed_from_sent = 0, NULL, from_sent[1]) AS sent_to_read_p50_ms,
    if(timed_from_sent = 0, NULL, from_sent[2]) AS sent_to_read_p95_ms,
    if(timed_from_delivered = 0, NULL, from_delivered[1]) AS delivered_to_read_p50_ms,
    if(timed_from_delivered = 0, NULL, from_delivered[2]) AS delivered_to_read_p95_ms
FROM
(
    SELECT
        org_id,
        channel_id,
        assumeNotNull(read_ms) - positiveModulo(assumeNotNull(read_ms), 3600000) AS hour_ms,
        count() AS reads,
        countIf(read_ms >= sent_ms) AS timed_from_sent,
        countIf(read_ms >= delivered_ms) AS timed_from_delivered,
        quantilesIf(0.5, 0.95)(assumeNotNull(read_ms - sent_ms), ifNull(read_ms >= sent_ms, false)) AS from_sent,
        quantilesIf(0.5, 0.95)(assumeNotNull(read_ms - delivered_ms), ifNull(read_ms >= delivered_ms, false))
            AS from_delivered
    FROM message_times
    WHERE read_ms IS NOT NULL
    GROUP BY org_id, channel_id, hour_ms
);
