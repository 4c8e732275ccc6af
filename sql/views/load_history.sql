-- One row per load, newest first, with how long it took and what it did per second.
CREATE OR REPLACE VIEW loader.load_history AS
SELECT
  l.load_id,
  l.source,
  l.kind,
  l.state,
  l.created_at,
  l.finished_at,
  date_diff('millisecond', l.created_at, l.finished_at) / 1000.0 AS seconds,
  l.files,
  l.events,
  l."rows",
  l.duplicates,
  l.quarantined,
  l.rejects,
  l.partition_from,
  l.partition_to,
  (SELECT count(*) FROM loader.columns AS c WHERE c.load_id = l.load_id) AS schema_changes,
  l.error
FROM loader.loads AS l
ORDER BY l.created_at DESC
