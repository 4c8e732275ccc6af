"""How PostgreSQL spells things, and what its errors mean."""

from loader.core.dialect import Dialect
from loader.core.faults import Fault, Pattern
from loader.core.types import ColumnType

DIALECT = Dialect(
    name="postgres",
    types={
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.DOUBLE: "DOUBLE PRECISION",
        ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
        ColumnType.STRING: "TEXT",
        ColumnType.JSON: "JSONB",
    },
    max_identifier_bytes=63,  # longer ones would be cut without a word
    text="CAST({value} AS TEXT)",
    # Shortest digits that give the same double, as Python's repr; but with an exponent from 1e15 on, not from 1e16.
    double_text=(
        "CASE WHEN abs({value}) >= 1e15 AND abs({value}) < 1e16 "
        "THEN CAST(CAST(CAST({value} AS TEXT) AS NUMERIC) AS TEXT) || "
        "CASE WHEN {value} = trunc({value}) THEN '.0' ELSE '' END ELSE CAST({value} AS TEXT) END"
    ),
    timestamp_text=(
        "replace(to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '.000000Z', 'Z')"
    ),
    text_as_json="to_jsonb({value})",
    parsed_json="CAST({value} AS JSONB)",
    bytewise='{value} COLLATE "C"',
    # NOT IN would compare each row with each where the places do not fit into memory.
    without="NOT EXISTS (SELECT 1 FROM {places} AS o WHERE o.place = {row})",
    newest="(array_agg({value} ORDER BY {turn} DESC) FILTER (WHERE {value} IS NOT NULL))[1]",
    adds_at_once=100,
    comment_table="COMMENT ON TABLE {table} IS {text}",
    comment_column="COMMENT ON COLUMN {table}.{column} IS {text}",
    # One at a time per source, until the transaction ends; nobody else waits.
    lock=("SELECT pg_advisory_xact_lock(hashtextextended('loader.leases ' || {source}, 0))",),
    # Whoever takes a lease over deletes its row, and waits for this; renewing it changes no key, and does not.
    guard=" FOR KEY SHARE",
    views={
        "date_diff('millisecond', l.created_at, l.finished_at) / 1000.0": (
            "CAST(extract(epoch FROM l.finished_at - l.created_at) AS DOUBLE PRECISION)"
        )
    },
    # Blocks of rows that came together: small, and as good as partitions for the window of a merge.
    indexes=("CREATE INDEX IF NOT EXISTS {name} ON {table} USING brin (received_at)",),
    shared_rows=20_000,
    shared_columns=2_000,
)

# SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html. libpq's own errors have none.
FAULTS = (
    Pattern(
        Fault.CREDENTIALS,
        "correct `user` and `password` in [warehouse], or let pg_hba.conf admit them",
        codes=("28*",),
    ),
    Pattern(
        Fault.CREDENTIALS,
        "correct `user` and `password` in [warehouse], or let pg_hba.conf admit them",
        text=r"password authentication failed|no password supplied|no pg_hba\.conf entry|role .* does not exist",
    ),
    Pattern(Fault.MISSING, "create the database, or correct `database` in [warehouse]", codes=("3D000",)),
    Pattern(Fault.MISSING, "correct `database` in [warehouse]", text=r"database .* does not exist"),
    Pattern(
        Fault.MISSING,
        "correct `host` in [warehouse]",
        text=r"could not translate host|failed to resolve host|Name or service not known|No such file or directory",
    ),
    Pattern(
        Fault.PERMISSION,
        "grant this user CREATE on the database, and ownership of the schemas and tables that it loads",
        codes=("42501",),
    ),
    # Two sessions that make the same schema or table IF NOT EXISTS at once.
    Pattern(Fault.TRANSIENT, "run again", codes=("23505",), text=r"\"pg_\w+_index\""),
    Pattern(Fault.CAPACITY, "free some room on the server, or allow more connections", codes=("53*",)),
    Pattern(Fault.CAPACITY, "allow more connections", text=r"too many clients|remaining connection slots"),
    Pattern(Fault.TRANSIENT, "wait for the session that holds the table, or end it", codes=("55P03",)),
    Pattern(Fault.TRANSIENT, "run again: the load continues", codes=("08*", "40001", "40P01", "57P0*", "25P03")),
    Pattern(
        Fault.TRANSIENT,
        "see that the server runs and can be reached, then run again: the load continues",
        text=r"connection.*(refused|reset|timed? ?out|closed|lost|failed)|server closed|timeout expired|EOF detected",
    ),
    Pattern(Fault.CAPACITY, "raise statement_timeout for this user", codes=("57014",)),
    Pattern(
        Fault.SCHEMA,
        "PostgreSQL has 1600 columns in a table at most; lower `max_columns` of the source",
        codes=("54011",),
    ),
    Pattern(
        Fault.DATA,
        "a row must fit into 8 KB, with 18 bytes for each long value; lower `max_columns` of the source",
        codes=("54000",),
        text=r"row is too big",
    ),
    Pattern(Fault.DATA, "correct the value where the events are sent", codes=("22*", "54*")),
    Pattern(
        Fault.SCHEMA,
        "the table is not as the loader left it: undo what was changed by hand, then run again",
        codes=("42*", "0A000", "23*", "2BP01", "3F000"),
    ),
)
