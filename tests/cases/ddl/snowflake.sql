-- create the schema
CREATE SCHEMA IF NOT EXISTS "SHOP";

-- create shop.every_type, 6 columns
CREATE TABLE IF NOT EXISTS "SHOP"."EVERY_TYPE" (
  "BOOLEAN" BOOLEAN,
  "INTEGER" NUMBER(38, 0),
  "DOUBLE" FLOAT,
  "TIMESTAMP" TIMESTAMP_LTZ,
  "STRING" VARCHAR,
  "JSON" VARIANT
);

-- create shop.pages, 2 columns
CREATE TABLE IF NOT EXISTS "SHOP"."PAGES" (
  "ID" VARCHAR,
  "RECEIVED_AT" TIMESTAMP_LTZ
);

-- create shop.users, 2 columns
CREATE TABLE IF NOT EXISTS "SHOP"."USERS" (
  "ID" VARCHAR,
  "RECEIVED_AT" TIMESTAMP_LTZ
);

-- create shop.order, 2 columns
CREATE TABLE IF NOT EXISTS "SHOP"."ORDER" (
  "SELECT" VARCHAR,
  "A""QUOTE" NUMBER(38, 0)
);

-- add shop.order_completed.coupon string
ALTER TABLE "SHOP"."ORDER_COMPLETED" ADD COLUMN IF NOT EXISTS "COUPON" VARCHAR;

-- add shop.order_completed.items json
ALTER TABLE "SHOP"."ORDER_COMPLETED" ADD COLUMN IF NOT EXISTS "ITEMS" VARIANT;

-- widen shop.order_completed.total from integer to double
ALTER TABLE "SHOP"."ORDER_COMPLETED" ADD COLUMN IF NOT EXISTS "TOTAL#NEW" FLOAT;

-- widen shop.order_completed.total from integer to double
UPDATE "SHOP"."ORDER_COMPLETED" SET "TOTAL#NEW" = CAST("TOTAL" AS FLOAT);

-- widen shop.order_completed.total from integer to double
ALTER TABLE "SHOP"."ORDER_COMPLETED" DROP COLUMN "TOTAL";

-- widen shop.order_completed.total from integer to double
ALTER TABLE "SHOP"."ORDER_COMPLETED" RENAME COLUMN "TOTAL#NEW" TO "TOTAL";

-- say what is new
COMMENT ON TABLE "SHOP"."PAGES" IS 'page calls; first seen 2026-01-01 05:10 UTC, load 0123456789abcdef';

-- say what is new
COMMENT ON COLUMN "SHOP"."PAGES"."ID" IS 'it''s a \\ "line"
and another';

-- say what is new
COMMENT ON COLUMN "SHOP"."ORDER_COMPLETED"."COUPON" IS 'sent as Coupon; first seen 2026-01-01 05:10 UTC';

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "SHOP"."ORDER_COMPLETED" ADD COLUMN IF NOT EXISTS "AT#NEW" VARIANT;

-- retype shop.order_completed.at from timestamp to json
UPDATE "SHOP"."ORDER_COMPLETED" SET "AT#NEW" = TO_VARIANT(REPLACE(TO_VARCHAR(CONVERT_TIMEZONE('UTC',
  "AT"),
  'YYYY-MM-DD"T"HH24:MI:SS.FF6') || 'Z',
  '.000000Z',
  'Z'));

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "SHOP"."ORDER_COMPLETED" DROP COLUMN "AT";

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "SHOP"."ORDER_COMPLETED" RENAME COLUMN "AT#NEW" TO "AT";

-- which tables have rows
(SELECT 'pages' AS name FROM "SHOP"."PAGES" LIMIT 1) UNION ALL (SELECT 'tracks' AS name FROM "SHOP"."TRACKS" LIMIT 1);

-- rows that are not inserted, of two tables of which one is empty
WITH keys AS (
SELECT 0 AS source, id, received_at, "#HASH" AS content, "#ROW" AS place FROM staged_parts
UNION ALL SELECT 0 AS source, id, received_at, "#HASH" AS content, "#ROW" AS place FROM other_parts
UNION ALL SELECT 1 AS source, id, received_at, "#HASH" AS content, "#ROW" AS place FROM people_parts
)
SELECT place FROM (
  SELECT place, row_number() OVER (PARTITION BY source, id ORDER BY received_at, content, place) AS turn
  FROM keys JOIN (SELECT source, id FROM keys GROUP BY source, id HAVING count(*) > 1) AS twice USING (source, id)
) AS repeated WHERE turn > 1
UNION ALL
SELECT place FROM keys WHERE source = 0 AND id IN (
  SELECT id FROM "SHOP"."ORDER_COMPLETED" AS t
  WHERE received_at BETWEEN '2025-12-25 00:00:00+00:00'::TIMESTAMP_LTZ AND '2026-01-08 23:59:59.999999+00:00'::TIMESTAMP_LTZ
);

-- insert rows of two groups of parts
INSERT INTO "SHOP"."ORDER_COMPLETED" ("ID",
  "USER_ID",
  "ANONYMOUS_ID",
  "RECEIVED_AT",
  "AS_IT_IS",
  "ABSENT",
  "MIXED",
  "EITHER_AS_TEXT",
  "EITHER_AS_JSON",
  "TIMESTAMP",
  "TIMESTAMP_AS_SENT",
  "TIMESTAMP_AS_JSON",
  "INTEGER_AS_DOUBLE",
  "INTEGER_AS_TEXT",
  "DOUBLE_AS_TEXT",
  "DOUBLE_AS_JSON",
  "BOOLEAN_AS_TEXT",
  "STRING_AS_JSON",
  "JSON",
  "JSON_AS_TEXT",
  "LOADED_AT",
  "LOAD_ID")
SELECT "ID",
  "USER_ID",
  "ANONYMOUS_ID",
  "RECEIVED_AT",
  "AS_IT_IS",
  CAST(NULL AS TIMESTAMP_LTZ),
  "MIXED",
  "EITHER_AS_TEXT",
  PARSE_JSON("EITHER_AS_JSON#JSON",
  'd'),
  "TIMESTAMP",
  CAST("TIMESTAMP_AS_SENT#TEXT" AS VARCHAR),
  TO_VARIANT(CAST("TIMESTAMP_AS_JSON#TEXT" AS VARCHAR)),
  CAST("INTEGER_AS_DOUBLE" AS FLOAT),
  CAST("INTEGER_AS_TEXT" AS VARCHAR),
  CASE WHEN abs("DOUBLE_AS_TEXT") < 9007199254740992 AND "DOUBLE_AS_TEXT" = trunc("DOUBLE_AS_TEXT") THEN CAST(CAST("DOUBLE_AS_TEXT" AS NUMBER(38,
  0)) AS VARCHAR) ELSE CAST("DOUBLE_AS_TEXT" AS VARCHAR) END,
  PARSE_JSON(CASE WHEN abs("DOUBLE_AS_JSON") < 9007199254740992 AND "DOUBLE_AS_JSON" = trunc("DOUBLE_AS_JSON") THEN CAST(CAST("DOUBLE_AS_JSON" AS NUMBER(38,
  0)) AS VARCHAR) ELSE CAST("DOUBLE_AS_JSON" AS VARCHAR) END,
  'd'),
  CAST("BOOLEAN_AS_TEXT" AS VARCHAR),
  TO_VARIANT(CAST("STRING_AS_JSON" AS VARCHAR)),
  PARSE_JSON("JSON",
  'd'),
  CAST("JSON_AS_TEXT" AS VARCHAR),
  CURRENT_TIMESTAMP(),
  '0123456789abcdef' FROM staged_parts WHERE NOT EXISTS (SELECT 1 FROM left_out AS p WHERE p.place = "#ROW")
UNION ALL
SELECT "ID",
  "USER_ID",
  "ANONYMOUS_ID",
  "RECEIVED_AT",
  "AS_IT_IS",
  CAST(NULL AS TIMESTAMP_LTZ),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARIANT),
  CAST(NULL AS TIMESTAMP_LTZ),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARIANT),
  CAST(NULL AS FLOAT),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARIANT),
  CAST(NULL AS VARCHAR),
  CAST(NULL AS VARIANT),
  CAST(NULL AS VARIANT),
  CAST(NULL AS VARCHAR),
  CURRENT_TIMESTAMP(),
  '0123456789abcdef' FROM other_parts WHERE NOT EXISTS (SELECT 1 FROM left_out AS p WHERE p.place = "#ROW");

-- insert all rows
INSERT INTO "SHOP"."IDENTIFIES" ("ID", "LOADED_AT", "LOAD_ID")
SELECT "ID", CURRENT_TIMESTAMP(), 'it''s a load' FROM people_parts;

-- is someone missing from users
SELECT 1 FROM (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL) AS people LEFT JOIN "SHOP"."USERS" AS t ON t.id = people.id WHERE t.id IS NULL LIMIT 1;

-- forget the users of the load
DELETE FROM "SHOP"."USERS" WHERE id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL);

-- compute the users of the load anew
INSERT INTO "SHOP"."USERS" ("ID", "EMAIL", "RECEIVED_AT", "TAGS", "LOADED_AT", "LOAD_ID")
SELECT id, "EMAIL", "RECEIVED_AT", "TAGS", CURRENT_TIMESTAMP(), 'it''s a load'
FROM (
SELECT user_id AS id,
  MAX_BY("EMAIL",
  IFF("EMAIL" IS NULL,
  NULL,
  "TURN#")) AS "EMAIL",
  MAX_BY("RECEIVED_AT",
  IFF("RECEIVED_AT" IS NULL,
  NULL,
  "TURN#")) AS "RECEIVED_AT",
  MAX_BY("TAGS",
  IFF("TAGS" IS NULL,
  NULL,
  "TURN#")) AS "TAGS"
FROM (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY coalesce("TIMESTAMP", received_at), received_at, id) AS "TURN#"
  FROM "SHOP"."IDENTIFIES" AS t WHERE user_id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL)
) AS "TURNS#"
GROUP BY user_id) AS "PEOPLE#";

-- a view of the ledger
CREATE OR REPLACE VIEW loader.conservation AS
SELECT
  load_id,
  source,
  finished_at,
  lines,
  events,
  "ROWS",
  duplicates,
  filtered,
  quarantined,
  events - "ROWS" - duplicates - filtered - quarantined AS unaccounted
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
  DATEDIFF('millisecond', l.created_at, l.finished_at) / 1000.0 AS seconds,
  l.files,
  l.events,
  l."ROWS",
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
