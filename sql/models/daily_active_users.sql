-- key: daily_active_users
-- deps: tracks
-- checks: unique(day), not_null(day)
-- How many people did something on a day (UTC, by receipt), and how much.
SELECT
  CAST(received_at AS DATE) AS day,
  count(DISTINCT coalesce(user_id, anonymous_id)) AS people,
  count(DISTINCT user_id) AS known_people,
  count(*) AS events
FROM {schema}.tracks
GROUP BY CAST(received_at AS DATE)
