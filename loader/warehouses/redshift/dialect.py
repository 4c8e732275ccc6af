"""Redshift's SQL. Pages of docs.aws.amazon.com/redshift/latest/dg are named by their file, read 2026-11-21."""

from loader.core.dialect import Dialect, Layout
from loader.core.types import ColumnType

MAX_TEXT_BYTES = 65_535  # of VARCHAR, and of a text in SUPER (r_Character_types.html, limitations-super.html)
MAX_JSON_BYTES = 16_000_000  # of a SUPER value
FIRST_TEXT_BYTES = 256  # of a VARCHAR that is new; it grows with its values
STAGING = "loader_staging"

DIALECT = Dialect(
    name="redshift",
    types={
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.DOUBLE: "DOUBLE PRECISION",
        ColumnType.TIMESTAMP: "TIMESTAMPTZ",
        ColumnType.STRING: f"VARCHAR({MAX_TEXT_BYTES})",
        ColumnType.JSON: "SUPER",
    },
    # COPY of Parquet chooses no encoding (copy-usage_notes-copy-from-columnar.html); AZ64 is for numbers and times.
    stored={
        ColumnType.BOOLEAN: "BOOLEAN ENCODE ZSTD",
        ColumnType.INTEGER: "BIGINT ENCODE AZ64",
        ColumnType.DOUBLE: "DOUBLE PRECISION ENCODE ZSTD",
        ColumnType.TIMESTAMP: "TIMESTAMPTZ ENCODE AZ64",
        ColumnType.STRING: f"VARCHAR({FIRST_TEXT_BYTES}) ENCODE ZSTD",
        ColumnType.JSON: "SUPER ENCODE ZSTD",
    },
    noted={ColumnType.STRING: f"VARCHAR({MAX_TEXT_BYTES}) ENCODE ZSTD"},
    # A text of more than 64 KB comes as VARBYTE only; JSON_PARSE takes that, too.
    staged={ColumnType.JSON: "VARBYTE(16777216)"},
    max_text_bytes=MAX_TEXT_BYTES,
    max_json_bytes=MAX_JSON_BYTES,
    max_identifier_bytes=127,
    escapes={"'": "''", "\\": "\\\\"},  # a backslash is an escape there
    now="CAST(SYSDATE AS TIMESTAMPTZ)",  # now() is for the leader node alone (c_SQL_functions_leader_node_only.html)
    timestamp="CAST({text} AS TIMESTAMPTZ)",
    text=f"CAST({{value}} AS VARCHAR({MAX_TEXT_BYTES}))",
    boolean_text="CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END",  # BOOLEAN casts to no text
    # A cast to text keeps 15 digits of a double; SUPER keeps them all, but not as we spell them.
    respells=True,
    double_text="JSON_SERIALIZE(CAST({value} AS SUPER))",
    timestamp_text=(
        "replace(to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD') || 'T' || "
        "to_char({value} AT TIME ZONE 'UTC', 'HH24:MI:SS.US') || 'Z', '.000000Z', 'Z')"
    ),
    text_as_json="CAST({value} AS SUPER)",
    parsed_json="JSON_PARSE({value})",
    # No FILTER and no ordered aggregates there; LAST_VALUE is for all types but SUPER (r_WF_last_value.html).
    newest_over=(
        "last_value({value} IGNORE NULLS) OVER "
        "(PARTITION BY {key} ORDER BY {turn} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
    ),
    newest_json=(
        "JSON_PARSE(last_value(JSON_SERIALIZE_TO_VARBYTE({value}) IGNORE NULLS) OVER "
        "(PARTITION BY {key} ORDER BY {turn} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"
    ),
    without="NOT EXISTS (SELECT 1 FROM {places} AS p WHERE p.place = {row})",
    add_column="ADD COLUMN {column} {type}",  # no IF NOT EXISTS, and one in each ALTER (r_ALTER_TABLE.html)
    widen=(  # no type but VARCHAR can be altered; all four are of one transaction
        "ALTER TABLE {table} ADD COLUMN {new} {type}",
        "UPDATE {table} SET {new} = {value} WHERE {column} IS NOT NULL",
        "ALTER TABLE {table} DROP COLUMN {column}",
        "ALTER TABLE {table} RENAME COLUMN {new} TO {column}",
    ),
    layout=Layout(events="\nDISTKEY (id) SORTKEY (received_at)", profiles="\nDISTKEY (id) SORTKEY (id)"),
    comment_table="COMMENT ON TABLE {table} IS {text}",
    comment_column="COMMENT ON COLUMN {table}.{column} IS {text}",
    views={
        "date_diff('millisecond', l.created_at, l.finished_at)": "DATEDIFF(millisecond, l.created_at, l.finished_at)"
    },
    asks_empty=False,
    shared_rows=500_000,  # a commit waits in a queue with all others of the cluster
    shared_columns=1000,
    staging_schema=STAGING,
)
