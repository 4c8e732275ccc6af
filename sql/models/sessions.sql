-- key: sessions
-- deps: tracks
-- checks: unique(session_id), not_null(started_at)
-- One row per visit: the track events of someone with no pause of more than 30 minutes between them.
WITH someone AS (
  SELECT id, coalesce(user_id, anonymous_id) AS person, received_at
  FROM {schema}.tracks
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
),
pauses AS (
  SELECT
    id, person, received_at,
    lag(received_at) OVER (PARTITION BY person ORDER BY received_at, id) AS before_at
  FROM someone
),
begun AS (
  SELECT
    id, person, received_at,
    CASE WHEN before_at IS NULL OR date_diff('second', before_at, received_at) > 1800 THEN 1 ELSE 0 END AS begins
  FROM pauses
),
numbered AS (
  SELECT
    id, person, received_at,
    sum(begins) OVER (PARTITION BY person ORDER BY received_at, id ROWS UNBOUNDED PRECEDING) AS session_number
  FROM begun
)
SELECT
  min(id) AS session_id,
  person,
  min(received_at) AS started_at,
  max(received_at) AS ended_at,
  count(*) AS events
FROM numbered
GROUP BY person, session_number
