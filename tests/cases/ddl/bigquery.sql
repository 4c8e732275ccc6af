-- create the schema
CREATE SCHEMA IF NOT EXISTS `shop`;

-- create shop.every_type, 6 columns
CREATE TABLE IF NOT EXISTS `shop`.`every_type` (
  `boolean` BOOL,
  `integer` INT64,
  `double` FLOAT64,
  `timestamp` TIMESTAMP,
  `string` STRING,
  `json` JSON
);

-- create shop.pages, 2 columns
CREATE TABLE IF NOT EXISTS `shop`.`pages` (
  `id` STRING OPTIONS (description='it\'s a \\ "line"\nand another'),
  `received_at` TIMESTAMP
)
PARTITION BY TIMESTAMP_TRUNC(`received_at`, DAY)
CLUSTER BY `id`
OPTIONS (description='page calls; first seen 2026-01-01 05:10 UTC, load 0123456789abcdef');

-- create shop.users, 2 columns
CREATE TABLE IF NOT EXISTS `shop`.`users` (
  `id` STRING,
  `received_at` TIMESTAMP
)
CLUSTER BY `id`;

-- create shop.order, 2 columns
CREATE TABLE IF NOT EXISTS `shop`.`order` (
  `select` STRING,
  `a"quote` INT64
);

-- add shop.order_completed.coupon string; add shop.order_completed.items json
ALTER TABLE `shop`.`order_completed` ADD COLUMN IF NOT EXISTS `coupon` STRING OPTIONS (description='sent as Coupon; first seen 2026-01-01 05:10 UTC'),
  ADD COLUMN IF NOT EXISTS `items` JSON;

-- widen shop.order_completed.total from integer to double
ALTER TABLE `shop`.`order_completed` ALTER COLUMN `total` SET DATA TYPE FLOAT64;

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE `shop`.`order_completed` ADD COLUMN IF NOT EXISTS `at#new` JSON;

-- retype shop.order_completed.at from timestamp to json
UPDATE `shop`.`order_completed` AS `t#` SET `at#new` = TO_JSON(REPLACE(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', `at`, 'UTC'), '.000000Z', 'Z')) WHERE TRUE;

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE `shop`.`order_completed` DROP COLUMN `at`;

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE `shop`.`order_completed` RENAME COLUMN `at#new` TO `at`;

-- which tables have rows
(SELECT 'pages' AS name FROM `shop`.`pages` LIMIT 1) UNION ALL (SELECT 'tracks' AS name FROM `shop`.`tracks` LIMIT 1);

-- rows that are not inserted, of two tables of which one is empty
WITH keys AS (
SELECT 0 AS source, id, received_at, `#hash` AS content, `#row` AS place FROM staged_parts
UNION ALL SELECT 0 AS source, id, received_at, `#hash` AS content, `#row` AS place FROM other_parts
UNION ALL SELECT 1 AS source, id, received_at, `#hash` AS content, `#row` AS place FROM people_parts
)
SELECT place FROM (
  SELECT place, row_number() OVER (PARTITION BY source, id ORDER BY received_at, content, place) AS turn
  FROM keys JOIN (SELECT source, id FROM keys GROUP BY source, id HAVING count(*) > 1) AS twice USING (source, id)
) AS repeated WHERE turn > 1
UNION ALL
SELECT place FROM keys WHERE source = 0 AND id IN (
  SELECT id FROM `shop`.`order_completed` AS t
  WHERE received_at BETWEEN TIMESTAMP '2025-12-25 00:00:00+00:00' AND TIMESTAMP '2026-01-08 23:59:59.999999+00:00'
);

-- insert rows of two groups of parts
INSERT INTO `shop`.`order_completed` (`id`,
  `user_id`,
  `anonymous_id`,
  `received_at`,
  `as_it_is`,
  `absent`,
  `mixed`,
  `either_as_text`,
  `either_as_json`,
  `timestamp`,
  `timestamp_as_sent`,
  `timestamp_as_json`,
  `integer_as_double`,
  `integer_as_text`,
  `double_as_text`,
  `double_as_json`,
  `boolean_as_text`,
  `string_as_json`,
  `json`,
  `json_as_text`,
  `loaded_at`,
  `load_id`)
SELECT `id`,
  `user_id`,
  `anonymous_id`,
  `received_at`,
  `as_it_is`,
  CAST(NULL AS TIMESTAMP),
  `mixed`,
  `either_as_text`,
  PARSE_JSON(`either_as_json#json`,
  wide_number_mode=>'round'),
  `timestamp`,
  CAST(`timestamp_as_sent#text` AS STRING),
  TO_JSON(CAST(`timestamp_as_json#text` AS STRING)),
  CAST(`integer_as_double` AS FLOAT64),
  CAST(`integer_as_text` AS STRING),
  CASE WHEN abs(`double_as_text`) < 9007199254740992 AND `double_as_text` = TRUNC(`double_as_text`) THEN CAST(CAST(`double_as_text` AS INT64) AS STRING) ELSE CAST(`double_as_text` AS STRING) END,
  PARSE_JSON(CASE WHEN abs(`double_as_json`) < 9007199254740992 AND `double_as_json` = TRUNC(`double_as_json`) THEN CAST(CAST(`double_as_json` AS INT64) AS STRING) ELSE CAST(`double_as_json` AS STRING) END,
  wide_number_mode=>'round'),
  CAST(`boolean_as_text` AS STRING),
  TO_JSON(CAST(`string_as_json` AS STRING)),
  PARSE_JSON(`json`,
  wide_number_mode=>'round'),
  CAST(`json_as_text` AS STRING),
  CURRENT_TIMESTAMP(),
  '0123456789abcdef' FROM staged_parts WHERE `#row` NOT IN (SELECT place FROM left_out)
UNION ALL
SELECT `id`,
  `user_id`,
  `anonymous_id`,
  `received_at`,
  `as_it_is`,
  CAST(NULL AS TIMESTAMP),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS JSON),
  CAST(NULL AS TIMESTAMP),
  CAST(NULL AS STRING),
  CAST(NULL AS JSON),
  CAST(NULL AS FLOAT64),
  CAST(NULL AS STRING),
  CAST(NULL AS STRING),
  CAST(NULL AS JSON),
  CAST(NULL AS STRING),
  CAST(NULL AS JSON),
  CAST(NULL AS JSON),
  CAST(NULL AS STRING),
  CURRENT_TIMESTAMP(),
  '0123456789abcdef' FROM other_parts WHERE `#row` NOT IN (SELECT place FROM left_out);

-- insert all rows
INSERT INTO `shop`.`identifies` (`id`, `loaded_at`, `load_id`)
SELECT `id`, CURRENT_TIMESTAMP(), 'it\'s a load' FROM people_parts;

-- is someone missing from users
SELECT 1 FROM (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL) AS people LEFT JOIN `shop`.`users` AS t ON t.id = people.id WHERE t.id IS NULL LIMIT 1;

-- forget the users of the load
DELETE FROM `shop`.`users` WHERE id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL);

-- compute the users of the load anew
INSERT INTO `shop`.`users` (`id`, `email`, `received_at`, `tags`, `loaded_at`, `load_id`)
SELECT id, `email`, `received_at`, `tags`, CURRENT_TIMESTAMP(), 'it\'s a load'
FROM (
SELECT user_id AS id,
  ARRAY_AGG(`email` IGNORE NULLS ORDER BY `turn#` DESC LIMIT 1)[SAFE_OFFSET(0)] AS `email`,
  ARRAY_AGG(`received_at` IGNORE NULLS ORDER BY `turn#` DESC LIMIT 1)[SAFE_OFFSET(0)] AS `received_at`,
  ARRAY_AGG(`tags` IGNORE NULLS ORDER BY `turn#` DESC LIMIT 1)[SAFE_OFFSET(0)] AS `tags`
FROM (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY coalesce(`timestamp`, received_at), received_at, id) AS `turn#`
  FROM `shop`.`identifies` AS t WHERE user_id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL)
) AS `turns#`
GROUP BY user_id) AS `people#`;

-- a view of the ledger
CREATE OR REPLACE VIEW loader.conservation AS
SELECT
  load_id,
  source,
  finished_at,
  lines,
  events,
  `rows`,
  duplicates,
  filtered,
  quarantined,
  events - `rows` - duplicates - filtered - quarantined AS unaccounted
FROM loader.loads
WHERE state = 'done';

-- a view of the ledger
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
GROUP BY source;

-- a view of the ledger
CREATE OR REPLACE VIEW loader.load_history AS
SELECT
  l.load_id,
  l.source,
  l.kind,
  l.state,
  l.created_at,
  l.finished_at,
  TIMESTAMP_DIFF(l.finished_at, l.created_at, MILLISECOND) / 1000.0 AS seconds,
  l.files,
  l.events,
  l.`rows`,
  l.duplicates,
  l.quarantined,
  l.rejects,
  l.partition_from,
  l.partition_to,
  (SELECT count(*) FROM loader.columns AS c WHERE c.load_id = l.load_id) AS schema_changes,
  l.error
FROM loader.loads AS l
ORDER BY l.created_at DESC;

-- a view of the ledger
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
ORDER BY r.planned_at DESC;

-- a view of the ledger
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
FROM loader.sync_ledger AS m;
