-- Delivery and reading by cohort: each message once, in the hour of its SENT, else of its earliest ladder status.
CREATE OR REPLACE VIEW channel_rates AS
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
            -- Negative times stay out of the quantile, and are none of those that are enough for one.
            countIf(read_ms >= since_ms AND read_ms >= sent_ms) AS recent,
            quantileExactStateIf(0.95)(assumeNotNull(read_ms - sent_ms), read_ms >= since_ms AND read_ms >= sent_ms) AS waits
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
