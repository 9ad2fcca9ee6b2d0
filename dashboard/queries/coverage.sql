SELECT
    coverage.org_id AS org_id,
    coverage.channel_id AS channel_id,
    coverage.channel_type AS channel_type,
    channels.name AS name,
    first_heard,
    last_heard,
    statuses,
    can_report_delivered,
    can_report_read
FROM coverage
LEFT JOIN channels ON channels.org_id = coverage.org_id AND channels.channel_id = coverage.channel_id
WHERE ({org:String} = '' OR coverage.org_id = {org:String})
    AND ({channel:String} = '' OR coverage.channel_id = {channel:String})
ORDER BY org_id, channel_id
LIMIT 10000
