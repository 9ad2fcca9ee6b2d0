-- A sum over NULL alone is NULL: the channel cannot report it.
SELECT
    org_id,
    channel_id,
    sum(rates.sent) AS sent,
    sum(rates.delivered) AS delivered,
    sum(rates.read) AS read,
    sumOrNull(if(isNull(rates.delivery_ratio), NULL, rates.delivered)) / sum(rates.sent) AS delivery_ratio,
    sumOrNull(if(isNull(rates.read_ratio), NULL, rates.read)) / sum(rates.sent) AS read_ratio,
    sumOrNull(if(isNull(rates.read_of_delivered), NULL, rates.read))
        / sumOrNull(if(isNull(rates.read_of_delivered), NULL, rates.delivered)) AS read_of_delivered,
    sumIf(rates.sent, mature) AS mature_sent,
    if(
        mature_sent = 0, NULL, sumOrNull(if(isNull(rates.delivery_ratio) OR NOT mature, NULL, rates.delivered))
    ) / mature_sent AS mature_delivery_ratio,
    if(
        mature_sent = 0, NULL, sumOrNull(if(isNull(rates.read_ratio) OR NOT mature, NULL, rates.read))
    ) / mature_sent AS mature_read_ratio
FROM channel_rates AS rates
WHERE hour >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND hour < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
GROUP BY org_id, channel_id
SETTINGS max_threads = 1, max_bytes_before_external_group_by = 2000000000
