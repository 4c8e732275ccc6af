"""Snowflake's SQL, as data.

Names are upper case, as Snowflake folds what is not quoted: nobody who writes SQL by hand has to quote them. Times are
TIMESTAMP_LTZ, an instant, and our sessions are in UTC. A new type is a new column that takes over, since ALTER COLUMN
only lengthens (docs.snowflake.com/en/sql-reference/sql/alter-table-column, read 2026-11-21).
"""

from loader.core.dialect import Dialect
from loader.core.types import ColumnType

DIALECT = Dialect(
    name="snowflake",
    types={
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.INTEGER: "NUMBER(38, 0)",
        ColumnType.DOUBLE: "FLOAT",
        ColumnType.TIMESTAMP: "TIMESTAMP_LTZ",
        ColumnType.STRING: "VARCHAR",
        ColumnType.JSON: "VARIANT",
    },
    transactional_ddl=False,
    upper=True,
    max_identifier_bytes=255,
    escapes={"'": "''", "\\": "\\\\"},
    now="CURRENT_TIMESTAMP()",
    timestamp="{text}::TIMESTAMP_LTZ",
    timestamp_text="REPLACE(TO_VARCHAR(CONVERT_TIMEZONE('UTC', {value}), "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.FF6') || 'Z', '.000000Z', 'Z')",
    text_as_json="TO_VARIANT({value})",
    parsed_json="PARSE_JSON({value}, 'd')",  # d: of keys that come twice the last counts; without it they are errors
    shift_right="BITSHIFTRIGHT({value}, {bits})",
    bit_and="BITAND({value}, {mask})",
    newest="MAX_BY({value}, IFF({value} IS NULL, NULL, {turn}))",
    without="NOT EXISTS (SELECT 1 FROM {places} AS p WHERE p.place = {row})",
    widen=(
        "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {new} {type}",
        "UPDATE {table} SET {new} = {value}",
        "ALTER TABLE {table} DROP COLUMN {column}",
        "ALTER TABLE {table} RENAME COLUMN {new} TO {column}",
    ),
    # No CLUSTER BY: rows come in the order of receipt, and automatic clustering costs credits for ever. Whoever has a
    # table of terabytes adds one; nothing here removes it.
    comment_table="COMMENT ON TABLE {table} IS {text}",
    comment_column="COMMENT ON COLUMN {table}.{column} IS {text}",
    # UPDATE, DELETE and MERGE of one table wait for one another, INSERT does not: a row that comes and goes makes two
    # who want the same lease wait (docs.snowflake.com/en/sql-reference/transactions#resource-locking).
    lock=(
        "MERGE INTO loader.leases AS t USING (SELECT '' AS source) AS s ON t.source = s.source "
        "WHEN MATCHED THEN UPDATE SET token = '' WHEN NOT MATCHED THEN INSERT (source, token) VALUES ('', '')",
        "DELETE FROM loader.leases WHERE source = ''",
    ),
    hold="UPDATE loader.leases SET token = token WHERE source = ? AND token = ?",
    views={"date_diff(": "DATEDIFF("},
    asks_empty=False,  # a question costs more than the join with an empty table
    shared_rows=200_000,
    shared_columns=2_000,
)
