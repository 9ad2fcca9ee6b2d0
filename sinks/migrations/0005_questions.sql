-- The views that answer questions. Those over all messages read the kept state in one pass.

-- Delivery and reading by cohort: each message once, in the hour of its SENT, else of its earliest ladder status.
CREATE VIEW channel_rates AS
WITH
    toUnixTimestamp64Milli(now64(3)) - 30 * 86400000 AS since_ms,
    cohorts AS
    (
        SELECT
            org_id,
            channel_id,
            assumeNotNull(first_ms) - positiveModulo(assumeNotNull(first_ms), 3600000) AS hour_ms,
            count() AS messages,
            countIf(delivered_ms IS NOT NULL OR read_ms IS NOT NULL) AS reached,
            countIf(read_ms IS NOT NULL) AS seen,
            countIf(sent_ms IS NOT NULL AND read_ms >= since_ms) AS recent,
            quantileExactStateIf(0.95)(assumeNotNull(read_ms - sent_ms), sent_ms IS NOT NULL AND read_ms >= since_ms) AS waits
        FROM message_times
        WHERE first_ms IS NOT NULL
        GROUP BY org_id, channel_id, hour_ms
    ),
    patient AS
    (
        SELECT
            org_id,
            channel_id,
            fromUnixTimestamp64Milli(hour_ms, 'UTC') AS hour,
            messages,
            reached,
            seen,
            sum(recent) OVER (PARTITION BY org_id, channel_id) AS enough,
            quantileExactMerge(0.95)(waits) OVER (PARTITION BY org_id, channel_id) AS patience_ms
        FROM cohorts
    )
SELECT
    patient.org_id AS org_id,
    patient.channel_id AS channel_id,
    if(coverage.channel_type = '', 'UNKNOWN', coverage.channel_type) AS channel_type,
    patient.hour AS hour,
    patient.messages AS sent,
    patient.reached AS delivered,
    patient.seen AS read,
    if(coverage.can_report_delivered, patient.reached / patient.messages, NULL) AS delivery_ratio,
    if(coverage.can_report_read, patient.seen / patient.messages, NULL) AS read_ratio,
    if(
        coverage.can_report_delivered AND coverage.can_report_read AND patient.reached > 0,
        patient.seen / patient.reached,
        NULL
    ) AS read_of_delivered,
    -- The hour has ended longer ago than the channel's readers usually take.
    toBool(
        now64(3, 'UTC')
        > patient.hour + INTERVAL 1 HOUR + toIntervalMillisecond(if(patient.enough < 100, 86400000, patient.patience_ms))
    ) AS mature
FROM patient
LEFT JOIN coverage ON coverage.org_id = patient.org_id AND coverage.channel_id = patient.channel_id;

-- How long delivery takes, by the hour of the delivery. Negative times stay out of the quantiles.
CREATE VIEW time_to_deliver AS
SELECT
    org_id,
    channel_id,
    fromUnixTimestamp64Milli(assumeNotNull(delivered_ms) - positiveModulo(assumeNotNull(delivered_ms), 3600000), 'UTC')
        AS hour,
    count() AS deliveries,
    quantileIf(0.5)(delivered_ms - sent_ms, delivered_ms >= sent_ms) AS sent_to_delivered_p50_ms,
    quantileIf(0.95)(delivered_ms - sent_ms, delivered_ms >= sent_ms) AS sent_to_delivered_p95_ms
FROM message_times
WHERE delivered_ms IS NOT NULL
GROUP BY org_id, channel_id, hour;

-- How long readers take, by the hour in which they read.
CREATE VIEW time_to_read AS
SELECT
    org_id,
    channel_id,
    fromUnixTimestamp64Milli(assumeNotNull(read_ms) - positiveModulo(assumeNotNull(read_ms), 3600000), 'UTC') AS hour,
    count() AS reads,
    quantileIf(0.5)(read_ms - sent_ms, read_ms >= sent_ms) AS sent_to_read_p50_ms,
    quantileIf(0.95)(read_ms - sent_ms, read_ms >= sent_ms) AS sent_to_read_p95_ms,
    quantileIf(0.5)(read_ms - delivered_ms, read_ms >= delivered_ms) AS delivered_to_read_p50_ms,
    quantileIf(0.95)(read_ms - delivered_ms, read_ms >= delivered_ms) AS delivered_to_read_p95_ms
FROM message_times
WHERE read_ms IS NOT NULL
GROUP BY org_id, channel_id, hour;

-- Messages that nobody has read yet, by how long they have been waiting.
CREATE VIEW open_messages AS
SELECT
    waiting.org_id AS org_id,
    waiting.channel_id AS channel_id,
    waiting.session_id AS session_id,
    waiting.message_id AS message_id,
    if(waiting.delivered_ms IS NULL, 'SENT', 'DELIVERED') AS status,
    fromUnixTimestamp64Milli(assumeNotNull(coalesce(waiting.delivered_ms, waiting.sent_ms)), 'UTC') AS since,
    dateDiff('second', since, now64(3, 'UTC')) AS age_seconds,
    if(coverage.channel_type = '', 'UNKNOWN', coverage.channel_type) AS channel_type,
    coverage.can_report_delivered AS can_report_delivered,
    coverage.can_report_read AS can_report_read,
    toBool(waiting.delivered_ms IS NULL AND coverage.can_report_delivered AND age_seconds > 900) AS stuck
FROM
(
    SELECT org_id, channel_id, session_id, message_id, sent_ms, delivered_ms
    FROM message_times
    WHERE read_ms IS NULL AND (sent_ms IS NOT NULL OR delivered_ms IS NOT NULL)
) AS waiting
LEFT JOIN coverage ON coverage.org_id = waiting.org_id AND coverage.channel_id = waiting.channel_id;

-- How many messages wait, and for how long.
CREATE VIEW open_by_age AS
SELECT
    org_id,
    channel_id,
    any(channel_type) AS channel_type,
    status,
    multiIf(
        age_seconds < 900, 'under 15 min',
        age_seconds < 3600, '15 min to 1 h',
        age_seconds < 21600, '1 h to 6 h',
        age_seconds < 86400, '6 h to 24 h',
        age_seconds < 604800, '1 to 7 days',
        'over 7 days'
    ) AS age,
    count() AS messages,
    countIf(stuck) AS stuck,
    min(since) AS oldest
FROM open_messages
GROUP BY org_id, channel_id, status, age;

CREATE VIEW followups AS
SELECT
    due.alert_id AS alert_id,
    due.rule AS rule,
    due.org_id AS org_id,
    due.channel_id AS channel_id,
    due.session_id AS session_id,
    due.message_id AS message_id,
    due.due_time AS due_time,
    due.opened_time AS opened_time,
    state.status AS status,
    state.sent_time AS sent_time,
    state.delivered_time AS delivered_time
FROM
(
    SELECT *
    FROM alerts
    WHERE state = 'open' AND followup
) AS due
LEFT JOIN
(
    SELECT org_id, message_id, status, sent_time, delivered_time
    FROM message_state
    WHERE (org_id, message_id) GLOBAL IN (SELECT org_id, message_id FROM alerts WHERE state = 'open' AND followup)
) AS state ON state.org_id = due.org_id AND state.message_id = due.message_id;

-- Each session: its messages, and every status told in the order of the times as (time, message, status).
CREATE VIEW journeys AS
SELECT
    org_id,
    session_id,
    argMin(channel_id, first_time) AS channel_id,
    count() AS messages,
    countIf(delivered_ms IS NOT NULL OR read_ms IS NOT NULL) AS delivered,
    countIf(read_ms IS NOT NULL) AS read,
    min(first_time) AS started,
    max(last_time) AS last_changed,
    arraySort(groupArrayArray(told)) AS steps
FROM
(
    SELECT
        org_id,
        session_id,
        channel_id,
        delivered_ms,
        read_ms,
        arrayFilter(
            step -> step.3 != '',
            [
                (fromUnixTimestamp64Milli(ifNull(sent_ms, 0), 'UTC'), message_id, if(sent_ms IS NULL, '', 'SENT')),
                (fromUnixTimestamp64Milli(ifNull(delivered_ms, 0), 'UTC'), message_id, if(delivered_ms IS NULL, '', 'DELIVERED')),
                (fromUnixTimestamp64Milli(ifNull(read_ms, 0), 'UTC'), message_id, if(read_ms IS NULL, '', 'READ'))
            ]
        ) AS told,
        arrayMin(step -> step.1, told) AS first_time,
        arrayMax(step -> step.1, told) AS last_time
    FROM message_times
    WHERE first_ms IS NOT NULL
)
GROUP BY org_id, session_id;

-- What is missing, by cohort. A channel that cannot report DELIVERED misses none: NULL.
CREATE VIEW gaps AS
SELECT
    found.org_id AS org_id,
    found.channel_id AS channel_id,
    if(coverage.channel_type = '', 'UNKNOWN', coverage.channel_type) AS channel_type,
    fromUnixTimestamp64Milli(found.hour_ms, 'UTC') AS hour,
    found.messages AS messages,
    found.without_sent AS sent_missing,
    if(coverage.can_report_delivered, found.without_delivered, NULL) AS delivered_missing
FROM
(
    SELECT
        org_id,
        channel_id,
        assumeNotNull(first_ms) - positiveModulo(assumeNotNull(first_ms), 3600000) AS hour_ms,
        count() AS messages,
        countIf(sent_ms IS NULL) AS without_sent,
        countIf(read_ms IS NOT NULL AND delivered_ms IS NULL) AS without_delivered
    FROM message_times
    WHERE first_ms IS NOT NULL
    GROUP BY org_id, channel_id, hour_ms
) AS found
LEFT JOIN coverage ON coverage.org_id = found.org_id AND coverage.channel_id = found.channel_id;

-- Receipts whose told old status contradicts what is known.
CREATE VIEW contradictions AS
SELECT
    org_id, channel_id, session_id, message_id, old_status, new_status, updated_time, received_time, implied, out_of_order,
    raw_partition, raw_offset
FROM transitions
WHERE contradiction;

-- Hours of the last 30 days in which a channel told nothing, though it had spoken in the same hour of at least five of the
-- seven days before. The hour that still runs is left out.
CREATE VIEW outages AS
SELECT
    org_id,
    channel_id,
    toDateTime64(toDateTime(hour_number * 3600, 'UTC'), 3, 'UTC') AS hour,
    spoke AS spoke_of_7_days
FROM
(
    SELECT
        org_id,
        channel_id,
        arrayJoin(
            arrayFilter(
                each -> each.2 >= 5,
                arrayMap(
                    each -> (
                        each,
                        arraySum(day -> toUInt8(bitmapContains(heard, toUInt32(each - 24 * day))), [1, 2, 3, 4, 5, 6, 7])
                    ),
                    arrayFilter(
                        each -> NOT bitmapContains(heard, toUInt32(each)),
                        range(first_hour, toUInt32(intDiv(toUnixTimestamp(now()), 3600)))
                    )
                )
            )
        ) AS silent,
        silent.1 AS hour_number,
        silent.2 AS spoke
    FROM
    (
        SELECT
            org_id,
            channel_id,
            groupBitmapState(toUInt32(intDiv(toUnixTimestamp(window_start), 3600))) AS heard,
            min(toUInt32(intDiv(toUnixTimestamp(window_start), 3600))) AS first_hour
        FROM channel_windows_log FINAL
        WHERE window_start >= now() - INTERVAL 37 DAY
            AND window_start <= now()
            AND sent + delivered + read + other + duplicates + late > 0
        GROUP BY org_id, channel_id
    )
)
WHERE hour_number >= toUInt32(intDiv(toUnixTimestamp(now()), 3600)) - 720
SETTINGS do_not_merge_across_partitions_select_final = 1;
