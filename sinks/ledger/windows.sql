-- Windows whose counts are not those of the records: what is accepted is known from the transitions, what is late and how
-- many there are in all from the raw records, and the rest are duplicates.
WITH
    fromUnixTimestamp64Milli({since:Int64}, 'UTC') AS since,
    fromUnixTimestamp64Milli({until:Int64}, 'UTC') AS until,
    accepted AS
    (
        SELECT
            org_id,
            channel_id,
            toStartOfMinute(if(is_late, received_time, updated_time)) AS start,
            countIf(NOT is_late AND new_status = 'SENT') AS sent,
            countIf(NOT is_late AND new_status = 'DELIVERED') AS delivered,
            countIf(NOT is_late AND new_status = 'READ') AS read,
            countIf(NOT is_late AND new_status NOT IN ('SENT', 'DELIVERED', 'READ')) AS other,
            countIf(NOT is_late AND out_of_order) AS out_of_order,
            countIf(NOT is_late AND contradiction) AS contradictions
        FROM
        (
            SELECT
                org_id, channel_id, new_status, updated_time, received_time, out_of_order, contradiction,
                updated_time < received_time - toIntervalMillisecond({retention:Int64})
                    OR updated_time > received_time + INTERVAL 1 HOUR AS is_late
            FROM transitions
            WHERE received_time >= since - INTERVAL 1 HOUR
        )
        GROUP BY org_id, channel_id, start
    ),
    told AS
    (
        SELECT
            org_id,
            channel_id,
            toStartOfMinute(if(is_late, received_time, time)) AS start,
            count() AS records,
            countIf(is_late) AS late
        FROM
        (
            SELECT
                org_id,
                channel_id,
                received_time,
                assumeNotNull(status_time) AS time,
                time < received_time - toIntervalMillisecond({retention:Int64})
                    OR time > received_time + INTERVAL 1 HOUR AS is_late
            FROM raw_events
            WHERE status != '' AND received_time >= since - INTERVAL 1 HOUR
        )
        GROUP BY org_id, channel_id, start
    )
SELECT org_id, channel_id, window_start, expected, found
FROM
(
    SELECT
        org_id,
        channel_id,
        start AS window_start,
        arrayResize(sumForEachIf(counts, part = 'accepted'), 6) AS taken,
        arrayResize(sumForEachIf(counts, part = 'told'), 2) AS all_told,
        arrayResize(sumForEachIf(counts, part = 'window'), 8) AS found_counts,
        arrayConcat(taken, [all_told[2], all_told[1] - all_told[2] - arraySum(arraySlice(taken, 1, 4))]) AS expected_counts,
        ['sent', 'delivered', 'read', 'other', 'out_of_order', 'contradictions', 'late', 'duplicates'] AS names,
        arrayFilter(i -> expected_counts[i] != found_counts[i], range(1, 9)) AS differing,
        arrayMap(i -> concat(names[i], ' ', toString(expected_counts[i])), differing) AS expected,
        arrayMap(i -> concat(names[i], ' ', toString(found_counts[i])), differing) AS found
    FROM
    (
        SELECT
            'accepted' AS part, org_id, channel_id, start,
            arrayMap(n -> toInt64(n), [sent, delivered, read, other, out_of_order, contradictions]) AS counts
        FROM accepted
        UNION ALL
        SELECT 'told', org_id, channel_id, start, arrayMap(n -> toInt64(n), [records, late])
        FROM told
        UNION ALL
        SELECT
            'window', org_id, channel_id, toStartOfMinute(window_start),
            arrayMap(n -> toInt64(n), [sent, delivered, read, other, out_of_order, contradictions, late, duplicates])
        FROM channel_windows
        WHERE window_start >= toStartOfMinute(since)
    )
    GROUP BY org_id, channel_id, start
)
WHERE notEmpty(differing) AND window_start >= since AND window_start < until
ORDER BY org_id, channel_id, window_start
LIMIT {limit:UInt32}
