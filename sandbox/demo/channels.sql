SELECT
    rates.org_id AS org_id,
    rates.channel_id AS channel_id,
    rates.channel_type AS channel_type,
    rates.sent AS sent,
    rates.delivery_ratio AS delivery_ratio,
    rates.read_ratio AS read_ratio,
    reading.p50_ms AS read_p50_ms,
    reading.p95_ms AS read_p95_ms
FROM
(
    SELECT
        org_id,
        channel_id,
        any(channel_type) AS channel_type,
        sum(sent) AS sent,
        -- NULL where the channel cannot report: a sum over NULL alone is NULL
        sumOrNull(if(isNull(delivery_ratio), NULL, delivered)) / sum(channel_rates.sent) AS delivery_ratio,
        sumOrNull(if(isNull(read_ratio), NULL, read)) / sum(channel_rates.sent) AS read_ratio
    FROM channel_rates
    GROUP BY org_id, channel_id
) AS rates
LEFT JOIN
(
    SELECT
        org_id,
        channel_id,
        quantileExactOrNull(0.5)(dateDiff('millisecond', sent_time, read_time)) AS p50_ms,
        quantileExactOrNull(0.95)(dateDiff('millisecond', sent_time, read_time)) AS p95_ms
    FROM message_state
    WHERE isNotNull(sent_time) AND isNotNull(read_time)
    GROUP BY org_id, channel_id
) AS reading ON rates.org_id = reading.org_id AND rates.channel_id = reading.channel_id
ORDER BY org_id, channel_id
