-- create the schema
CREATE SCHEMA IF NOT EXISTS "shop";

-- create shop.every_type, 6 columns
CREATE TABLE IF NOT EXISTS "shop"."every_type" (
  "boolean" BOOLEAN ENCODE ZSTD,
  "integer" BIGINT ENCODE AZ64,
  "double" DOUBLE PRECISION ENCODE ZSTD,
  "timestamp" TIMESTAMPTZ ENCODE AZ64,
  "string" VARCHAR(256) ENCODE ZSTD,
  "json" SUPER ENCODE ZSTD
);

-- create shop.pages, 2 columns
CREATE TABLE IF NOT EXISTS "shop"."pages" (
  "id" VARCHAR(256) ENCODE ZSTD,
  "received_at" TIMESTAMPTZ ENCODE AZ64
)
DISTKEY (id) SORTKEY (received_at);

-- create shop.users, 2 columns
CREATE TABLE IF NOT EXISTS "shop"."users" (
  "id" VARCHAR(256) ENCODE ZSTD,
  "received_at" TIMESTAMPTZ ENCODE AZ64
)
DISTKEY (id) SORTKEY (id);

-- create shop.order, 2 columns
CREATE TABLE IF NOT EXISTS "shop"."order" (
  "select" VARCHAR(256) ENCODE ZSTD,
  "a""quote" BIGINT ENCODE AZ64
);

-- add shop.order_completed.coupon string
ALTER TABLE "shop"."order_completed" ADD COLUMN "coupon" VARCHAR(256) ENCODE ZSTD;

-- add shop.order_completed.items json
ALTER TABLE "shop"."order_completed" ADD COLUMN "items" SUPER ENCODE ZSTD;

-- widen shop.order_completed.total from integer to double
ALTER TABLE "shop"."order_completed" ADD COLUMN "total#new" DOUBLE PRECISION ENCODE ZSTD;

-- widen shop.order_completed.total from integer to double
UPDATE "shop"."order_completed" SET "total#new" = CAST("total" AS DOUBLE PRECISION) WHERE "total" IS NOT NULL;

-- widen shop.order_completed.total from integer to double
ALTER TABLE "shop"."order_completed" DROP COLUMN "total";

-- widen shop.order_completed.total from integer to double
ALTER TABLE "shop"."order_completed" RENAME COLUMN "total#new" TO "total";

-- say what is new
COMMENT ON TABLE "shop"."pages" IS 'page calls; first seen 2026-01-01 05:10 UTC, load 0123456789abcdef';

-- say what is new
COMMENT ON COLUMN "shop"."pages"."id" IS 'it''s a \\ "line"
and another';

-- say what is new
COMMENT ON COLUMN "shop"."order_completed"."coupon" IS 'sent as Coupon; first seen 2026-01-01 05:10 UTC';

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "shop"."order_completed" ADD COLUMN "at#new" SUPER ENCODE ZSTD;

-- retype shop.order_completed.at from timestamp to json
UPDATE "shop"."order_completed" SET "at#new" = CAST(replace(to_char("at" AT TIME ZONE 'UTC',
  'YYYY-MM-DD') || 'T' || to_char("at" AT TIME ZONE 'UTC',
  'HH24:MI:SS.US') || 'Z',
  '.000000Z',
  'Z') AS SUPER) WHERE "at" IS NOT NULL;

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "shop"."order_completed" DROP COLUMN "at";

-- retype shop.order_completed.at from timestamp to json
ALTER TABLE "shop"."order_completed" RENAME COLUMN "at#new" TO "at";

-- which tables have rows
(SELECT 'pages' AS name FROM "shop"."pages" LIMIT 1) UNION ALL (SELECT 'tracks' AS name FROM "shop"."tracks" LIMIT 1);

-- rows that are not inserted, of two tables of which one is empty
WITH keys AS (
SELECT 0 AS source, id, received_at, "#hash" AS content, "#row" AS place FROM staged_parts
UNION ALL SELECT 0 AS source, id, received_at, "#hash" AS content, "#row" AS place FROM other_parts
UNION ALL SELECT 1 AS source, id, received_at, "#hash" AS content, "#row" AS place FROM people_parts
)
SELECT place FROM (
  SELECT place, row_number() OVER (PARTITION BY source, id ORDER BY received_at, content, place) AS turn
  FROM keys JOIN (SELECT source, id FROM keys GROUP BY source, id HAVING count(*) > 1) AS twice USING (source, id)
) AS repeated WHERE turn > 1
UNION ALL
SELECT place FROM keys WHERE source = 0 AND id IN (
  SELECT id FROM "shop"."order_completed" AS t
  WHERE received_at BETWEEN CAST('2025-12-25 00:00:00+00:00' AS TIMESTAMPTZ) AND CAST('2026-01-08 23:59:59.999999+00:00' AS TIMESTAMPTZ)
);

-- insert rows of two groups of parts
INSERT INTO "shop"."order_completed" ("id",
  "user_id",
  "anonymous_id",
  "received_at",
  "as_it_is",
  "absent",
  "mixed",
  "either_as_text",
  "either_as_json",
  "timestamp",
  "timestamp_as_sent",
  "timestamp_as_json",
  "integer_as_double",
  "integer_as_text",
  "double_as_text",
  "double_as_json",
  "boolean_as_text",
  "string_as_json",
  "json",
  "json_as_text",
  "loaded_at",
  "load_id")
SELECT "id",
  "user_id",
  "anonymous_id",
  "received_at",
  "as_it_is",
  CAST(NULL AS TIMESTAMPTZ),
  "mixed",
  "either_as_text",
  JSON_PARSE("either_as_json#json"),
  "timestamp",
  CAST("timestamp_as_sent#text" AS VARCHAR(65535)),
  CAST(CAST("timestamp_as_json#text" AS VARCHAR(65535)) AS SUPER),
  CAST("integer_as_double" AS DOUBLE PRECISION),
  CAST("integer_as_text" AS VARCHAR(65535)),
  CASE WHEN abs("double_as_text") < 9007199254740992 AND "double_as_text" = trunc("double_as_text") THEN CAST(CAST("double_as_text" AS BIGINT) AS VARCHAR(65535)) ELSE JSON_SERIALIZE(CAST("double_as_text" AS SUPER)) END,
  JSON_PARSE(CASE WHEN abs("double_as_json") < 9007199254740992 AND "double_as_json" = trunc("double_as_json") THEN CAST(CAST("double_as_json" AS BIGINT) AS VARCHAR(65535)) ELSE JSON_SERIALIZE(CAST("double_as_json" AS SUPER)) END),
  CASE WHEN "boolean_as_text" THEN 'true' WHEN NOT "boolean_as_text" THEN 'false' END,
  CAST(CAST("string_as_json" AS VARCHAR(65535)) AS SUPER),
  JSON_PARSE("json"),
  CAST("json_as_text" AS VARCHAR(65535)),
  CAST(SYSDATE AS TIMESTAMPTZ),
  '0123456789abcdef' FROM staged_parts WHERE NOT EXISTS (SELECT 1 FROM left_out AS p WHERE p.place = "#row")
UNION ALL
SELECT "id",
  "user_id",
  "anonymous_id",
  "received_at",
  "as_it_is",
  CAST(NULL AS TIMESTAMPTZ),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS SUPER),
  CAST(NULL AS TIMESTAMPTZ),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS SUPER),
  CAST(NULL AS DOUBLE PRECISION),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS SUPER),
  CAST(NULL AS VARCHAR(65535)),
  CAST(NULL AS SUPER),
  CAST(NULL AS SUPER),
  CAST(NULL AS VARCHAR(65535)),
  CAST(SYSDATE AS TIMESTAMPTZ),
  '0123456789abcdef' FROM other_parts WHERE NOT EXISTS (SELECT 1 FROM left_out AS p WHERE p.place = "#row");

-- insert all rows
INSERT INTO "shop"."identifies" ("id", "loaded_at", "load_id")
SELECT "id", CAST(SYSDATE AS TIMESTAMPTZ), 'it''s a load' FROM people_parts;

-- is someone missing from users
SELECT 1 FROM (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL) AS people LEFT JOIN "shop"."users" AS t ON t.id = people.id WHERE t.id IS NULL LIMIT 1;

-- forget the users of the load
DELETE FROM "shop"."users" WHERE id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL);

-- compute the users of the load anew
INSERT INTO "shop"."users" ("id", "email", "received_at", "tags", "loaded_at", "load_id")
SELECT id, "email", "received_at", "tags", CAST(SYSDATE AS TIMESTAMPTZ), 'it''s a load'
FROM (
SELECT * FROM (
SELECT user_id AS id,
  last_value("email" IGNORE NULLS) OVER (PARTITION BY user_id ORDER BY "turn#" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS "email",
  last_value("received_at" IGNORE NULLS) OVER (PARTITION BY user_id ORDER BY "turn#" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS "received_at",
  JSON_PARSE(last_value(JSON_SERIALIZE_TO_VARBYTE("tags") IGNORE NULLS) OVER (PARTITION BY user_id ORDER BY "turn#" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS "tags",
  "turn#"
FROM (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY coalesce("timestamp", received_at), received_at, id) AS "turn#"
  FROM "shop"."identifies" AS t WHERE user_id IN (SELECT user_id AS id FROM people_parts WHERE user_id IS NOT NULL UNION ALL SELECT user_id AS id FROM more_people_parts WHERE user_id IS NOT NULL)
) AS "turns#") AS valued WHERE "turn#" = 1) AS "people#";

-- a view of the ledger
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
  DATEDIFF(millisecond, l.created_at, l.finished_at) / 1000.0 AS seconds,
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
