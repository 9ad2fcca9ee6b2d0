-- Windows whose counts are not those of the records: what is accepted is known from the transitions, what is late and how
-- many there are in all from the raw records, and the rest are duplicates. Where a channel has times in a form that only
-- the processor reads, late and duplicates are left to the check of the channel's sums.
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
            countIf(is_late) AS late,
            max(odd) AS odd
        FROM
        (
            SELECT
                org_id,
                channel_id,
                received_time,
                JSONExtractString(body, 'payload', 'messageNewStatus', 'updatedTime') AS text,
                parseDateTime64BestEffortOrZero(text, 3, 'UTC') AS updated,
                concat(replaceOne(toString(updated), ' ', 'T'), 'Z') = text
                    AND toUnixTimestamp64Milli(updated) BETWEEN 0 AND 9000000000000 AS readable,
                NOT readable AND match(text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$') AS odd,
                if(readable, '', trim(BOTH '"' FROM JSONExtractRaw(body, 'eventTime'))) AS epoch,
                multiIf(
                    readable, updated,
                    match(epoch, '^[0-9]{1,13}$') AND toInt64OrZero(epoch) <= 9000000000000,
                        fromUnixTimestamp64Milli(toInt64OrZero(epoch), 'UTC'),
                    received_time
                ) AS time,
                time < received_time - toIntervalMillisecond({retention:Int64})
                    OR time > received_time + INTERVAL 1 HOUR AS is_late
            FROM raw_events
            WHERE event_type = 'IM_Message_Status' AND message_id != '' AND received_time >= since - INTERVAL 1 HOUR
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
        max(max(odd)) OVER (PARTITION BY org_id, channel_id) AS odd_channel,
        arrayResize(sumForEachIf(counts, part = 'accepted'), 6) AS taken,
        arrayResize(sumForEachIf(counts, part = 'told'), 2) AS all_told,
        arrayResize(sumForEachIf(counts, part = 'window'), 8) AS found_counts,
        arrayConcat(taken, [all_told[2], all_told[1] - all_told[2] - arraySum(arraySlice(taken, 1, 4))]) AS expected_counts,
        ['sent', 'delivered', 'read', 'other', 'out_of_order', 'contradictions', 'late', 'duplicates'] AS names,
        arrayFilter(i -> expected_counts[i] != found_counts[i] AND (i <= 6 OR NOT odd_channel), range(1, 9)) AS differing,
        arrayMap(i -> concat(names[i], ' ', toString(expected_counts[i])), differing) AS expected,
        arrayMap(i -> concat(names[i], ' ', toString(found_counts[i])), differing) AS found
    FROM
    (
        SELECT
            'accepted' AS part, org_id, channel_id, start, toUInt8(0) AS odd,
            arrayMap(n -> toInt64(n), [sent, delivered, read, other, out_of_order, contradictions]) AS counts
        FROM accepted
        UNION ALL
        SELECT 'told', org_id, channel_id, start, toUInt8(odd), arrayMap(n -> toInt64(n), [records, late])
        FROM told
        UNION ALL
        SELECT
            'window', org_id, channel_id, toStartOfMinute(window_start), toUInt8(0),
            arrayMap(n -> toInt64(n), [sent, delivered, read, other, out_of_order, contradictions, late, duplicates])
        FROM channel_windows
        WHERE window_start >= toStartOfMinute(since)
    )
    GROUP BY org_id, channel_id, start
)
WHERE notEmpty(differing) AND window_start >= since AND window_start < until
ORDER BY org_id, channel_id, window_start
LIMIT {limit:UInt32}
