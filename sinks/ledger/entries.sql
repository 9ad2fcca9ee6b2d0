-- What became of the raw records, as the view tells it.
SELECT org_id, channel_id, hour, raw, applied, duplicate, parked, other
FROM ledger(
    since = fromUnixTimestamp64Milli({since:Int64}, 'UTC'),
    until = fromUnixTimestamp64Milli({until:Int64}, 'UTC')
)
ORDER BY org_id, channel_id, hour
