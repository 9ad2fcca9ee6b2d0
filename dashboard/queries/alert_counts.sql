SELECT org_id, channel_id, countIf(NOT followup) AS open_alerts, countIf(followup) AS open_followups
FROM alerts
WHERE state = 'open'
    AND ({org:String} = '' OR org_id = {org:String})
    AND ({channel:String} = '' OR channel_id = {channel:String})
GROUP BY org_id, channel_id
