"""How BigQuery's SQL differs, as data. Source: cloud.google.com/bigquery/docs/reference/standard-sql, read 2026-11."""

from loader.core.dialect import Dialect, Layout
from loader.core.types import ColumnType

_BY_COPY = (
    "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {new} {type}",
    "UPDATE {table} AS `t#` SET {new} = {value} WHERE TRUE",  # `total` is a row of a table that is called `total`
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} RENAME COLUMN {new} TO {column}",
)
DIALECT = Dialect(
    name="bigquery",
    types={
        ColumnType.BOOLEAN: "BOOL",
        ColumnType.INTEGER: "INT64",
        ColumnType.DOUBLE: "FLOAT64",
        ColumnType.TIMESTAMP: "TIMESTAMP",
        ColumnType.STRING: "STRING",
        ColumnType.JSON: "JSON",
    },
    transactional_ddl=False,  # none at all in a transaction, but for temporary tables
    quote="`",
    quote_escaped="\\`",
    max_identifier_bytes=300,
    escapes={"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"},
    now="CURRENT_TIMESTAMP()",
    timestamp="TIMESTAMP {text}",
    text="CAST({value} AS STRING)",
    double_text="CAST({value} AS STRING)",
    truncated="TRUNC({value})",
    timestamp_text="REPLACE(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', {value}, 'UTC'), '.000000Z', 'Z')",
    text_as_json="TO_JSON({value})",
    md5="TO_HEX(MD5({value}))",
    # Numbers beyond 64 bits are rounded: the type holds no others.
    parsed_json="PARSE_JSON({value}, wide_number_mode=>'round')",
    newest="ARRAY_AGG({value} IGNORE NULLS ORDER BY {turn} DESC LIMIT 1)[SAFE_OFFSET(0)]",
    adds_at_once=500,  # one update of the table's metadata; there may be five in ten seconds
    widen=_BY_COPY,
    widen_in_place={
        (ColumnType.INTEGER, ColumnType.DOUBLE): ("ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {type}",)
    },
    layout=Layout(
        events="\nPARTITION BY TIMESTAMP_TRUNC(`received_at`, DAY)\nCLUSTER BY `id`", profiles="\nCLUSTER BY `id`"
    ),
    # Deleting is what conflicts, and only rows that are there can be deleted: so one is put there first.
    lock=(
        "INSERT INTO loader.leases (source, token) VALUES ('', 'lock')",
        "DELETE FROM loader.leases WHERE source = '' AND token = 'lock'",
    ),
    views={
        "date_diff('millisecond', l.created_at, l.finished_at)": (
            "TIMESTAMP_DIFF(l.finished_at, l.created_at, MILLISECOND)"
        )
    },
    # With what makes the column or table: an ALTER for each would be one of its five updates in ten seconds.
    described="OPTIONS (description={text})",
    max_described=1_024,  # a column's (reference/rest/v2/tables#TableFieldSchema); a table's may have 16,384
    day="TIMESTAMP_TRUNC({value}, DAY)",
    days_at_once=4_000,  # cloud.google.com/bigquery/quotas#partitioned_tables
    asks_empty=False,  # reading the keys of a week's partitions costs less than one more query
    shared_rows=1_000_000,
    shared_columns=3_000,
)
