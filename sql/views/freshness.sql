-- How far each source is: its last load, and the newest partition that is loaded.
CREATE OR REPLACE VIEW loader.freshness AS
SELECT
  source,
  max(finished_at) AS last_load_at,
  max(partition_to) AS newest_partition_at,
  sum(events) AS events,
  sum(quarantined) AS quarantined,
  sum(rejects) AS rejects
FROM loader.loads
WHERE state = 'done'
GROUP BY source
