-- Each entry, and beside it the sums over all of them.
SELECT
    org_id, channel_id, hour, raw, applied, duplicate, parked, other, adds_up,
    all_raw, all_applied, all_duplicate, all_parked, all_other
FROM
(
    SELECT
        org_id, channel_id, hour, raw, applied, duplicate, parked, other,
        toBool(raw = applied + duplicate + parked + other) AS adds_up,
        sum(raw) OVER () AS all_raw,
        sum(applied) OVER () AS all_applied,
        sum(duplicate) OVER () AS all_duplicate,
        sum(parked) OVER () AS all_parked,
        sum(other) OVER () AS all_other
    FROM ledger(
        since = fromUnixTimestamp64Milli({from:Int64}, 'UTC'),
        until = fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    )
    WHERE ({org:String} = '' OR org_id = {org:String})
        AND ({channel:String} = '' OR channel_id = {channel:String})
)
WHERE {after_0:String} = '' OR (hour, org_id, channel_id)
    < (parseDateTime64BestEffortOrZero({after_0:String}, 3, 'UTC'), {after_1:String}, {after_2:String})
ORDER BY hour DESC, org_id DESC, channel_id DESC
LIMIT {limit:UInt32}
SETTINGS max_bytes_before_external_group_by = 2000000000
