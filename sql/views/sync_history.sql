-- One row per run of a sync, newest first: what was planned, and what became of it.
CREATE OR REPLACE VIEW loader.sync_history AS
SELECT
  r.sync,
  r.run_id,
  r.destination,
  r.state,
  r.planned_at,
  r.finished_at,
  r.audience_rows,
  r.adds,
  r.changes,
  r.removes,
  r.confirmed,
  r.removed,
  r.rejected,
  r.failed,
  r.unknown,
  r.requests,
  r.error
FROM loader.sync_runs AS r
ORDER BY r.planned_at DESC
