-- Where the events of every finished load went. `unaccounted` is 0, or something is wrong.
CREATE OR REPLACE VIEW loader.conservation AS
SELECT
  load_id,
  source,
  finished_at,
  lines,
  events,
  "rows",
  duplicates,
  filtered,
  quarantined,
  events - "rows" - duplicates - filtered - quarantined AS unaccounted
FROM loader.loads
WHERE state = 'done'
