-- key: users_overview
-- deps: tracks, models.sessions
-- checks: unique(person), not_null(person)
-- One row per person: first and last seen, events and visits.
WITH events AS (
  SELECT
    coalesce(user_id, anonymous_id) AS person,
    max(CASE WHEN user_id IS NULL THEN 0 ELSE 1 END) AS known,
    min(received_at) AS first_seen_at,
    max(received_at) AS last_seen_at,
    count(*) AS events,
    count(DISTINCT event) AS event_names
  FROM {schema}.tracks
  WHERE coalesce(user_id, anonymous_id) IS NOT NULL
  GROUP BY coalesce(user_id, anonymous_id)
),
visits AS (
  SELECT person, count(*) AS sessions FROM {schema}_models.sessions GROUP BY person
)
SELECT
  events.person, events.known, events.first_seen_at, events.last_seen_at, events.events, events.event_names,
  coalesce(visits.sessions, 0) AS sessions
FROM events LEFT JOIN visits ON visits.person = events.person
