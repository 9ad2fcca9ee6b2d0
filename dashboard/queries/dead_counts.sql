SELECT stage, reason, state, count() AS count, max(failed_at) AS last_failed_at
FROM dead_letters
GROUP BY stage, reason, state
ORDER BY state, count DESC
LIMIT 500
