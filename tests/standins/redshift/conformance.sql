-- What Redshift answers. Each probe: a name | the expected answer | where that is written | verified on the real
-- service. Answers: ok (whatever rows), rows as JSON, or `fails:` with a pattern for SQLSTATE and message. Sources are
-- pages of docs.aws.amazon.com/redshift/latest/dg (read 2026-11-21), if nothing else is said. {bucket} holds the files
-- of test_redshift.py, {cred} is the credentials clause. Probes run one after another, in the schema `conformance`.

-- a table with encodings and keys | ok | r_CREATE_TABLE_NEW | no
CREATE TABLE ev (id VARCHAR(36) NOT NULL ENCODE ZSTD, n BIGINT ENCODE AZ64, at TIMESTAMPTZ ENCODE AZ64, raw
VARBYTE(16777216) ENCODE ZSTD, note VARCHAR(MAX) ENCODE ZSTD, v SUPER ENCODE ZSTD, PRIMARY KEY (id)) DISTKEY
(id) SORTKEY (at);

-- AZ64 is not for text | fails: encod | az64-encoding | no
CREATE TABLE bad (t VARCHAR(9) ENCODE AZ64);

-- SUPER is no sort key | fails: . | limitations-super | no
CREATE TABLE bad (v SUPER) SORTKEY (v);

-- no JSONB | fails: . | c_unsupported-postgresql-datatypes | no
CREATE TABLE bad (j JSONB);

-- VARCHAR has at most 65,535 bytes | fails: 65535¦22023 | r_Character_types | no
CREATE TABLE bad (t VARCHAR(65536));

-- TEXT is VARCHAR(256) | ok | r_Character_types | no
CREATE TABLE texts (t TEXT);

-- as the catalogue tells | rows: [["character varying", 256]] | r_SVV_COLUMNS | no
SELECT data_type, character_maximum_length FROM svv_columns WHERE table_schema = 'conformance' AND table_name
= 'texts';

-- the catalogue's names of types | rows: [["id", "character varying"], ["n", "bigint"], ["at", "timestamp with time zone"], ["raw", "binary varying"], ["note", "character varying"], ["v", "super"]] | r_SVV_COLUMNS | no
SELECT column_name, data_type FROM svv_columns WHERE table_schema = 'conformance' AND table_name = 'ev' ORDER
BY ordinal_position;

-- quoted names fold to lower case | ok | r_names | no
CREATE TABLE "MixedCase" ("aB" INT);

-- and are found so | rows: [] | r_names | no
SELECT "ab" FROM mixedcase;

-- COPY by manifest and column list | ok | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/whole.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- its rows are there, text as VARBYTE | rows: [["a", 1, "{\"a\": 1}", "x,\"y\"\\z"], ["b", 2, "[1]", null]] | copy-usage-varbyte | no
SELECT id, n, CAST(raw AS VARCHAR), note FROM ev ORDER BY id;

-- the same COPY again loads again | ok | r_COPY | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/whole.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- a primary key enforces nothing | rows: [[4]] | t_Defining_constraints | no
SELECT count(*) FROM ev;

-- columns go by position, not by name | ok | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/renamed.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- a file with fewer columns fails | fails: Spectrum¦XX000 | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/few.manifest' {cred} MANIFEST FORMAT AS PARQUET;

-- unless the list has as many | ok | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n) FROM 's3://{bucket}/conformance/few.manifest' {cred} MANIFEST FORMAT AS PARQUET;

-- 32-bit integers do not load into BIGINT | fails: Spectrum¦XX000 | peers' code (dlt, ensure_supported_type) | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/narrow.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- text does not load into BIGINT | fails: Spectrum¦XX000 | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/text.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- nanoseconds do not load | fails: Spectrum¦XX000 | peers' code (dlt, ensure_supported_type) | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/nanos.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- more bytes than the column has fail | fails: Spectrum¦XX000 | r_Character_types | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/long.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- the error is in SYS_LOAD_ERROR_DETAIL | rows: [["id"]] | SYS_LOAD_ERROR_DETAIL | no
SELECT column_name FROM sys_load_error_detail ORDER BY start_time DESC LIMIT 1;

-- and in STL_LOAD_ERRORS | rows: [["id"]] | r_STL_LOAD_ERRORS | no
SELECT trim(colname) FROM stl_load_errors ORDER BY starttime DESC LIMIT 1;

-- null in a NOT NULL column fails | fails: Spectrum¦XX000¦null | r_COPY | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/null.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- nested values need SERIALIZETOJSON | fails: . | r_COPY_command_examples | no
COPY ev (id, n, at, v, note) FROM 's3://{bucket}/conformance/nested.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- with it they are SUPER | ok | r_COPY_command_examples | no
COPY ev (id, n, at, v, note) FROM 's3://{bucket}/conformance/nested.manifest' {cred} MANIFEST FORMAT AS
PARQUET SERIALIZETOJSON;

-- a manifest that is not there fails | fails: S3ServiceException¦NoSuchKey¦404 | loading-data-files-using-manifest | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/nothing.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- a manifest without sizes fails | fails: . | loading-data-files-using-manifest | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/sizeless.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- a bucket that is not there fails | fails: S3ServiceException¦NoSuchBucket¦404 | r_COPY | no
COPY ev FROM 's3://no-such-bucket-of-ours/x' {cred} FORMAT AS PARQUET;

-- no credentials fail | fails: (?i)credential | copy-parameters-authorization | no
COPY ev FROM 's3://{bucket}/conformance/whole.parquet' FORMAT AS PARQUET;

-- MAXERROR is not for Parquet | fails: (?i)maxerror¦not supported | copy-usage_notes-copy-from-columnar | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/whole.manifest' {cred} MANIFEST FORMAT AS
PARQUET MAXERROR 1;

-- COPY is part of the transaction, in a transaction | ok | r_COPY | no
COPY ev (id, n, at, raw, note) FROM 's3://{bucket}/conformance/whole.manifest' {cred} MANIFEST FORMAT AS
PARQUET;

-- JSON_PARSE of text | rows: [["array"]] | JSON_PARSE | no
SELECT JSON_TYPEOF(JSON_PARSE('[1, 2]'));

-- JSON_PARSE of VARBYTE | ok | JSON_PARSE | no
UPDATE ev SET v = JSON_PARSE(raw) WHERE raw IS NOT NULL;

-- what is no JSON fails | fails: (?i)json¦XX000¦22P02 | JSON_PARSE | no
SELECT JSON_PARSE('[1, 2');

-- staging for more than 64 KB | ok | limitations-super | no
CREATE TEMP TABLE large (t VARBYTE(16777216), v SUPER);

-- holds it | ok | copy-usage-varbyte | no
COPY large (t) FROM 's3://{bucket}/conformance/large.manifest' {cred} MANIFEST FORMAT AS PARQUET;

-- and JSON_PARSE takes it | ok | limitations-super | no
UPDATE large SET v = JSON_PARSE(t);

-- a text of 70,000 bytes inside fails | fails: . | limitations-super (until a database is told otherwise, since 2026-11) | no
SELECT JSON_PARSE('"' || repeat('x', 65000) || repeat('x', 5000) || '"');

-- LAST_VALUE … IGNORE NULLS of VARBYTE | rows: [["[1]"], ["[1]"]] | r_WF_last_value | no
SELECT CAST(last_value(t IGNORE NULLS) OVER (PARTITION BY 1 ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND
UNBOUNDED FOLLOWING) AS VARCHAR) FROM (SELECT 1 AS n, JSON_SERIALIZE_TO_VARBYTE(JSON_PARSE('[1]')) AS t UNION
ALL SELECT 2, NULL) AS x;

-- INSERT counts bytes | fails: (?i)too long¦22001 | r_Character_types | no
INSERT INTO ev (id) VALUES (repeat('é', 20));

-- CAST cuts silently | rows: [["abc"]] | r_Character_types | no
SELECT CAST('abcdef' AS VARCHAR(3));

-- a backslash is an escape | rows: [["a\\b"]] | r_Character_types, observed by users | no
SELECT 'a\\b';

-- ADD COLUMN | ok | r_ALTER_TABLE | no
ALTER TABLE ev ADD COLUMN c1 INT ENCODE AZ64;

-- not IF NOT EXISTS | fails: syntax¦42601 | r_ALTER_TABLE | no
ALTER TABLE ev ADD COLUMN IF NOT EXISTS c1 INT;

-- not two at once | fails: syntax¦42601 | r_ALTER_TABLE | no
ALTER TABLE ev ADD COLUMN c2 INT, ADD COLUMN c3 INT;

-- in a transaction, too, in a transaction | ok | r_ALTER_TABLE | no
ALTER TABLE ev ADD COLUMN c4 INT;

-- a longer VARCHAR | ok | r_ALTER_TABLE | no
ALTER TABLE ev ALTER COLUMN id TYPE VARCHAR(100);

-- not twice | fails: (?i)cannot alter¦different | snowplow/snowplow-rdb-loader 1057 | no
ALTER TABLE ev ALTER COLUMN id TYPE VARCHAR(100);

-- not in a transaction, in a transaction | fails: (?i)transaction¦25001 | r_ALTER_TABLE | no
ALTER TABLE ev ALTER COLUMN id TYPE VARCHAR(200);

-- no other type | fails: . | r_ALTER_TABLE | no
ALTER TABLE ev ALTER COLUMN c1 TYPE BIGINT;

-- RENAME COLUMN | ok | r_ALTER_TABLE | no
ALTER TABLE ev RENAME COLUMN c1 TO c5;

-- DROP COLUMN | ok | r_ALTER_TABLE | no
ALTER TABLE ev DROP COLUMN c5;

-- QUALIFY | rows: [["a"], ["b"]] | r_QUALIFY_clause | no
SELECT id FROM ev QUALIFY row_number() OVER (PARTITION BY id ORDER BY n) = 1 ORDER BY id;

-- no ON CONFLICT | fails: syntax¦42601 | c_unsupported-postgresql-features | no
INSERT INTO ev (id) VALUES ('a') ON CONFLICT DO NOTHING;

-- no RETURNING | fails: syntax¦42601 | c_unsupported-postgresql-features | no
DELETE FROM ev WHERE false RETURNING id;

-- no FILTER | fails: syntax¦42601 | c_unsupported-postgresql-features | no
SELECT count(*) FILTER (WHERE n = 1) FROM ev;

-- now() is the leader node's alone | fails: (?i)not supported¦0A000 | c_SQL_functions_leader_node_only | no
SELECT now() FROM ev;

-- SYSDATE is everywhere | rows: [[0]] | r_SYSDATE | no
SELECT count(*) FROM ev WHERE SYSDATE < TIMESTAMP '2020-01-01 00:00:00';

-- a table to merge from | ok | r_MERGE | no
CREATE TEMP TABLE src (id VARCHAR(36), n BIGINT);

-- with rows | ok | r_MERGE | no
INSERT INTO src VALUES ('a', 10), ('z', 5);

-- MERGE | ok | r_MERGE | no
MERGE INTO ev USING src ON ev.id = src.id WHEN MATCHED THEN UPDATE SET n = src.n WHEN NOT MATCHED THEN INSERT
(id, n) VALUES (src.id, src.n);

-- MERGE needs both branches | fails: . | r_MERGE | no
MERGE INTO ev USING src ON ev.id = src.id WHEN NOT MATCHED THEN INSERT (id) VALUES (src.id);

-- MERGE takes no condition | fails: syntax¦42601 | r_MERGE | no
MERGE INTO ev USING src ON ev.id = src.id WHEN MATCHED AND src.n > 1 THEN UPDATE SET n = src.n WHEN NOT
MATCHED THEN INSERT (id) VALUES (src.id);

-- two rows for one target | ok | r_MERGE | no
INSERT INTO src VALUES ('a', 11);

-- MERGE refuses those | fails: . | r_MERGE | no
MERGE INTO ev USING src ON ev.id = src.id WHEN MATCHED THEN UPDATE SET n = src.n WHEN NOT MATCHED THEN INSERT
(id, n) VALUES (src.id, src.n);

-- UPDATE with an alias | ok | r_UPDATE | no
UPDATE ev AS t SET n = s.n FROM src AS s WHERE t.id = s.id AND s.n = 5;

-- DELETE takes no alias | fails: (?i)syntax¦42601 | r_DELETE | no
DELETE FROM ev AS t WHERE t.id = 'q';

-- LOCK outside of a transaction fails | fails: . | r_LOCK | no
LOCK ev;

-- LOCK, in a transaction | ok | r_LOCK | no
LOCK ev;

-- COMMENT | ok | r_COMMENT | no
COMMENT ON COLUMN ev.id IS 'the id';

-- query_group | ok | r_query_group | no
SET query_group TO 'conformance';

-- version | rows: [[true]] | r_VERSION | no
SELECT version() LIKE '%Redshift%';

-- everyone sees their own statements, by a text in them | ok | SYS_QUERY_HISTORY | no
SELECT LEFT(query_text, 64), elapsed_time FROM sys_query_history WHERE start_time > DATEADD(second, -3600, GETDATE())
AND query_text LIKE '%conformance%' AND TRIM(status) = 'success';

-- and the bytes that their steps read | ok | SYS_QUERY_DETAIL | no
SELECT query_id, SUM(input_bytes) FROM sys_query_detail WHERE TRIM(metrics_level) = 'step' AND TRIM(step_name) =
'scan' AND start_time > DATEADD(second, -3600, GETDATE()) GROUP BY query_id;
