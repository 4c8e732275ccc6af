-- One row per sync and key: where it stands in the tool, since when, and why if it is not there.
CREATE OR REPLACE VIEW loader.sync_latest AS
SELECT
  m.sync,
  m.row_key,
  m.state,
  m.op,
  m.code,
  m.message,
  m.attempts,
  m.remote_id,
  m.run_id,
  m.sent_at,
  m.changed_at
FROM loader.sync_ledger AS m
