SELECT audit_time, since, until, balanced, differences
FROM audits
ORDER BY audit_time DESC
LIMIT 1
