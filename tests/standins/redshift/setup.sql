-- What a Redshift database has and PostgreSQL has not. Run once, as superuser, in the database that is served.
CREATE DOMAIN public.super AS jsonb;

-- JSON_PARSE.html: text or VARBYTE; limitations-super.html: 16 MB, strings of at most 65,535 bytes (longer ones only
-- where a database has been told so), depth 1,000.
CREATE FUNCTION public.rs_longest_string(j jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE jsonb_typeof(j)
    WHEN 'string' THEN octet_length(j #>> '{}')
    WHEN 'object' THEN (SELECT max(greatest(octet_length(e.key), public.rs_longest_string(e.value))) FROM jsonb_each(j) e)
    WHEN 'array' THEN (SELECT max(public.rs_longest_string(e.value)) FROM jsonb_array_elements(j) AS e(value))
  END
$$;
CREATE FUNCTION public.json_parse(t text) RETURNS public.super LANGUAGE plpgsql STRICT IMMUTABLE AS $$
DECLARE parsed jsonb;
BEGIN
  BEGIN
    parsed := t::json::jsonb;
  EXCEPTION WHEN invalid_text_representation THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'JSON parsing error', DETAIL = 'code: 8001';
  END;
  IF octet_length(t) > 16000000 THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'SUPER value exceeds max size', DETAIL = 'code: 1224';
  END IF;
  IF octet_length(t) > 65535 AND public.rs_longest_string(parsed) > 65535 THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'String value exceeds the max size of 65535 bytes', DETAIL = 'code: 8001';
  END IF;
  RETURN parsed;
END $$;
CREATE FUNCTION public.json_parse(b bytea) RETURNS public.super LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT public.json_parse(convert_from(b, 'UTF8'))
$$;
CREATE FUNCTION public.json_serialize(j jsonb) RETURNS text LANGUAGE plpgsql STRICT IMMUTABLE AS $$
BEGIN
  IF octet_length(j::text) > 65535 THEN
    RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'The maximum length of the result is 65535 bytes';
  END IF;
  RETURN j::text;
END $$;
CREATE FUNCTION public.json_serialize_to_varbyte(j jsonb) RETURNS bytea LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT convert_to(j::text, 'UTF8')
$$;
CREATE FUNCTION public.json_typeof(j jsonb) RETURNS text LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT jsonb_typeof(j) $$;
CREATE FUNCTION public.json_size(j jsonb) RETURNS bigint LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT octet_length(j::text) $$;
CREATE FUNCTION public.to_varbyte(t text, kind text) RETURNS bytea LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT CASE lower(kind) WHEN 'hex' THEN decode(t, 'hex') ELSE convert_to(t, 'UTF8') END
$$;
CREATE FUNCTION public.from_varbyte(b bytea, kind text) RETURNS text LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT CASE lower(kind) WHEN 'hex' THEN encode(b, 'hex') ELSE convert_from(b, 'UTF8') END
$$;

-- limitations-super.html: numbers, booleans and texts can be cast to SUPER; a text becomes a string, it is not parsed.
CREATE FUNCTION public.rs_super(v varchar) RETURNS jsonb LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT to_jsonb(v) $$;
CREATE FUNCTION public.rs_super(v text) RETURNS jsonb LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT to_jsonb(v) $$;
CREATE FUNCTION public.rs_super(v bigint) RETURNS jsonb LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT to_jsonb(v) $$;
CREATE FUNCTION public.rs_super(v float8) RETURNS jsonb LANGUAGE sql STRICT IMMUTABLE
  SET extra_float_digits = 1 AS $$ SELECT to_jsonb(v) $$;
CREATE FUNCTION public.rs_super(v boolean) RETURNS jsonb LANGUAGE sql STRICT IMMUTABLE AS $$ SELECT to_jsonb(v) $$;
CREATE CAST (varchar AS jsonb) WITH FUNCTION public.rs_super(varchar) AS ASSIGNMENT;
CREATE CAST (text AS jsonb) WITH FUNCTION public.rs_super(text) AS ASSIGNMENT;
CREATE CAST (bigint AS jsonb) WITH FUNCTION public.rs_super(bigint) AS ASSIGNMENT;
CREATE CAST (float8 AS jsonb) WITH FUNCTION public.rs_super(float8) AS ASSIGNMENT;
CREATE CAST (boolean AS jsonb) WITH FUNCTION public.rs_super(boolean) AS ASSIGNMENT;

-- r_VARBYTE_type.html: casts between VARBYTE and text are UTF-8.
CREATE FUNCTION public.rs_text(b bytea) RETURNS varchar LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT convert_from(b, 'UTF8')::varchar
$$;
CREATE FUNCTION public.rs_bytes(t varchar) RETURNS bytea LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT convert_to(t, 'UTF8')
$$;
CREATE CAST (bytea AS varchar) WITH FUNCTION public.rs_text(bytea) AS ASSIGNMENT;
CREATE CAST (varchar AS bytea) WITH FUNCTION public.rs_bytes(varchar) AS ASSIGNMENT;

-- LAST_VALUE(… IGNORE NULLS): a strict function is not called for nulls, so the state is the last value that is none.
CREATE FUNCTION public.rs_newer(old anyelement, new anyelement) RETURNS anyelement LANGUAGE sql STRICT IMMUTABLE AS $$
  SELECT new
$$;
CREATE AGGREGATE public.rs_last_value(anyelement) (SFUNC = public.rs_newer, STYPE = anyelement);

CREATE FUNCTION public.rs_version() RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.99999 (stand-in)'::text
$$;
CREATE FUNCTION public.rs_getdate() RETURNS timestamp LANGUAGE sql AS $$
  SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC')
$$;
CREATE FUNCTION public.rs_sysdate() RETURNS timestamp LANGUAGE sql AS $$ SELECT now() AT TIME ZONE 'UTC' $$;
CREATE FUNCTION public.rs_datediff(part text, a timestamptz, b timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT floor(extract(epoch FROM b - a) * CASE part WHEN 'millisecond' THEN 1000 WHEN 'second' THEN 1 END)::bigint
$$;
CREATE FUNCTION public.rs_dateadd(part text, n bigint, a timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS $$
  SELECT a + (n || ' ' || part)::interval
$$;
CREATE FUNCTION public.pg_last_copy_count() RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(nullif(current_setting('rs.last_copy_count', true), ''), '0')::bigint
$$;
CREATE FUNCTION public.pg_last_query_id() RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;

-- Names of more than 63 bytes, by what PostgreSQL has in their place.
CREATE TABLE public.rs_names (short text PRIMARY KEY, long text NOT NULL);
CREATE VIEW public.rs_columns AS
SELECT c.table_catalog::text, c.table_schema::text, c.table_name::text, c.column_name::text,
  c.ordinal_position::int, c.is_nullable::text,
  (CASE WHEN c.domain_name = 'super' THEN 'super' WHEN c.data_type = 'bytea' THEN 'binary varying'
    ELSE c.data_type END)::text AS data_type,
  c.character_maximum_length::int, c.numeric_precision::int, c.numeric_scale::int, r.oid
FROM information_schema.columns AS c
JOIN pg_namespace AS n ON n.nspname = c.table_schema
JOIN pg_class AS r ON r.relnamespace = n.oid AND r.relname = c.table_name;
CREATE VIEW public.svv_columns AS
SELECT c.table_catalog, c.table_schema, coalesce(t.long, c.table_name) AS table_name,
  coalesce(m.long, c.column_name) AS column_name, c.ordinal_position, c.is_nullable, c.data_type,
  c.character_maximum_length, c.numeric_precision, c.numeric_scale
FROM public.rs_columns AS c
LEFT JOIN public.rs_names AS t ON t.short = c.table_name LEFT JOIN public.rs_names AS m ON m.short = c.column_name;
CREATE VIEW public.svv_tables AS
SELECT t.table_catalog::text, t.table_schema::text, coalesce(n.long, t.table_name::text) AS table_name, t.table_type::text
FROM information_schema.tables AS t LEFT JOIN public.rs_names AS n ON n.short = t.table_name;

CREATE TABLE public.stl_load_errors (
  userid int, slice int, tbl int, starttime timestamp, session int, query bigint, filename varchar(256),
  line_number bigint, colname varchar(127), type varchar(30), col_length varchar(10), position int,
  raw_line varchar(1024), raw_field_value varchar(1024), err_code int, err_reason varchar(100)
);
CREATE TABLE public.sys_load_error_detail (
  user_id int, query_id bigint, transaction_id bigint, session_id int, database_name text, table_id int,
  start_time timestamp, file_name varchar(256), line_number bigint, column_name varchar(127), column_type varchar(30),
  column_length varchar(10), position int, error_code int, error_message varchar(512)
);
-- SYS_QUERY_HISTORY.html, SYS_QUERY_DETAIL.html, as far as anybody asks; server.py writes their rows.
CREATE SEQUENCE public.rs_query;
CREATE TABLE public.sys_query_history (
  user_id int, query_id bigint, query_label char(320), transaction_id bigint, session_id int, database_name char(128),
  query_type char(32), status char(10), result_cache_hit boolean, start_time timestamp, end_time timestamp,
  elapsed_time bigint, queue_time bigint, execution_time bigint, query_text char(4000)
);
CREATE TABLE public.sys_query_detail (
  user_id int, query_id bigint, child_query_sequence int, stream_id int, segment_id int, step_id int, step_name text,
  table_id int, table_name char(136), start_time timestamp, end_time timestamp, duration bigint, input_bytes bigint,
  output_bytes bigint, blocks_read bigint, metrics_level text
);
GRANT SELECT ON public.sys_query_history, public.sys_query_detail TO PUBLIC;
GRANT SELECT ON public.rs_columns, public.rs_names, public.stl_load_errors, public.sys_load_error_detail, public.svv_columns, public.svv_tables TO PUBLIC;
