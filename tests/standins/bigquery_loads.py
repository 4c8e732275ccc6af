"""Conformance cases of load jobs: what BigQuery does, by its documentation."""

import pyarrow as pa
from google.cloud import bigquery

from standins.bigquery_probe import NOON, TIMES, Case, Columns, Probe, Refused, days

EVENTS: Columns = {"id": "STRING", "received_at": "TIMESTAMP"}
ROWS = pa.table({"id": ["a", "b"], "received_at": pa.array([NOON, NOON], TIMES)})
WIDER = ROWS.append_column("extra", pa.array(["x", "y"]))
BY_DAY = {"time_partitioning": bigquery.TimePartitioning(type_="DAY", field="received_at")}
APPEND, TRUNCATE, EMPTY = ({"write_disposition": f"WRITE_{word}"} for word in ("APPEND", "TRUNCATE", "EMPTY"))
ADD = {"schema_update_options": ["ALLOW_FIELD_ADDITION"]}
INVALID, QUERY, MISSING, TAKEN = Refused("invalid"), Refused("invalidQuery"), Refused("notFound"), Refused("duplicate")
PARQUET, JOB = "loading-data-cloud-storage-parquet", "reference/rest/v2/Job"


def one(name: str, kind: pa.DataType, value: object) -> pa.Table:
    return pa.table({name: pa.array([value], kind)})


def into(p: Probe, column: str, rows: pa.Table, **how: object) -> object:
    table = p.table({rows.column_names[0]: column})
    p.load(rows, table, **APPEND, **how)
    return [row[0] for row in p.q(f"SELECT * FROM {table}")]


def truncated(p: Probe) -> object:
    table = p.table(EVENTS)
    p.load(WIDER, table, **TRUNCATE)
    return p.columns(table), p.count(table)


def added(p: Probe) -> object:
    table = p.table(EVENTS)
    return p.load(WIDER, table, **APPEND, **ADD), list(p.columns(table))


def failed_leaves_nothing(p: Probe) -> object:
    table = p.table({"id": "STRING!", "n": "INT64"})
    rows = pa.table({"id": pa.array(["a", None]), "n": pa.array([1, 2], pa.int64())})
    try:
        p.load(rows, table, **APPEND, schema={"id": "STRING!", "n": "INT64"})
    except Exception as error:
        return type(error).__name__, p.count(table)
    return "loaded"


def same_id(p: Probe) -> object:
    job_id = f"conformance_{p.name().rpartition('_')[2]}"
    p.load(ROWS, p.name(), job_id=job_id)
    return p.load(ROWS, p.name(), job_id=job_id)


def partition(p: Probe, day: str) -> object:
    table = p.table(EVENTS, **BY_DAY)
    p.load(days(3), table, **APPEND)
    rows = pa.table({"id": ["new"], "received_at": pa.array([NOON.replace(year=2000)], TIMES)})
    p.load(rows, f"{table}${day}", **TRUNCATE)
    return sorted(row[0] for row in p.q(f"SELECT id FROM {table}"))


def required_filter(p: Probe) -> object:
    table = p.table(EVENTS, **BY_DAY, require_partition_filter=True)
    return p.q(f"SELECT id FROM {table}")


def pruned(p: Probe) -> object:
    table = p.table(EVENTS, **BY_DAY)
    p.load(days(200), table, **APPEND)
    day = "received_at BETWEEN TIMESTAMP '2000-01-01 00:00:00+00:00' AND TIMESTAMP '2000-01-01 23:59:59+00:00'"
    some = p.job(f"SELECT id FROM {table} WHERE {day}").total_bytes_processed
    every = p.job(f"SELECT id FROM {table}").total_bytes_processed
    return 0 < some * 50 < every


LOADS: tuple[Case, ...] = (
    Case("a load job answers with its rows", lambda p: p.load(ROWS, p.table(EVENTS), **APPEND), 2, JOB),
    Case("a load makes the table that is missing", lambda p: p.load(ROWS, p.name()), 2, JOB),
    Case("CREATE_NEVER does not", lambda p: p.load(ROWS, p.name(), create_disposition="CREATE_NEVER"), MISSING, JOB),
    Case("a new column needs a schema update option", lambda p: p.load(WIDER, p.table(EVENTS), **APPEND), INVALID, JOB),
    Case("with it, the column is added", added, (2, ["id", "received_at", "extra"]), "managing-table-schemas"),
    Case("a file may lack a nullable column", lambda p: into(p, "STRING", one("id", pa.string(), "a")), ["a"], "known"),
    Case("text is not read as an integer", lambda p: into(p, "INT64", one("n", pa.string(), "7")), INVALID, PARQUET),
    Case("nor a double", lambda p: into(p, "INT64", one("n", pa.float64(), 1.5)), INVALID, PARQUET),
    Case("nor an integer as a double", lambda p: into(p, "FLOAT64", one("n", pa.int64(), 1)), INVALID, PARQUET),
    Case(
        "a time without zone is no TIMESTAMP",
        lambda p: into(p, "TIMESTAMP", one("t", pa.timestamp("us"), NOON.replace(tzinfo=None))),
        INVALID,
        PARQUET,
    ),
    Case(
        "microseconds are kept",
        lambda p: into(p, "TIMESTAMP", one("t", TIMES, NOON.replace(microsecond=1))),
        [NOON.replace(microsecond=1)],
        PARQUET,
    ),
    Case(
        "columns match whatever their case",
        lambda p: into(p, "STRING", one("ID", pa.string(), "a"), schema={"id": "STRING"}),
        ["a"],
        "schemas",
    ),
    Case(
        "null in a required column fails the job, and nothing is loaded", failed_leaves_nothing, ("BadRequest", 0), JOB
    ),
    Case(
        "WRITE_EMPTY needs an empty table",
        lambda p: [p.load(ROWS, to, **EMPTY) for to in [p.table(EVENTS)] * 2],
        TAKEN,
        JOB,
    ),
    Case("WRITE_TRUNCATE replaces rows and schema", truncated, ({**EVENTS, "extra": "STRING"}, 2), JOB),
    Case(
        "schema update options do not go with it",
        lambda p: p.load(WIDER, p.table(EVENTS), **TRUNCATE, **ADD),
        INVALID,
        JOB,
    ),
    Case("a job id is taken for good", same_id, TAKEN, "running-jobs"),
    Case("a name with a dot is no column", lambda p: p.load(one("a.b", pa.int64(), 1), p.name()), INVALID, "schemas"),
    Case("a name with # is none in a load", lambda p: p.load(one("#row", pa.int64(), 1), p.name()), INVALID, "schemas"),
    Case(
        "but with the character map V2",
        lambda p: p.load(one("#row", pa.int64(), 1), p.name(), column_name_character_map="V2"),
        1,
        "schemas",
    ),
    Case(
        "a reserved prefix is refused", lambda p: p.load(one("_TABLE_x", pa.int64(), 1), p.name()), INVALID, "schemas"
    ),
    Case("a name of 301 characters is refused", lambda p: p.table({"a" * 301: "STRING"}), INVALID, "schemas"),
    Case(
        "two columns that differ by case are one too many",
        lambda p: p.table({"A": "STRING", "a": "STRING"}),
        INVALID,
        "schemas",
    ),
    Case(
        "a decorated load replaces one partition",
        lambda p: partition(p, "20000101"),
        ["1", "2", "new"],
        "managing-partitioned-table-data",
    ),
    Case(
        "rows of another day are refused there",
        lambda p: partition(p, "20000102"),
        INVALID,
        "managing-partitioned-table-data",
    ),
    Case("4,000 days in one job", lambda p: p.load(days(4000), p.table(EVENTS, **BY_DAY), **APPEND), 4000, "quotas"),
    Case(
        "4,001 are refused",
        lambda p: p.load(days(4001), p.table(EVENTS, **BY_DAY), **APPEND),
        Refused("quotaExceeded"),
        "quotas",
    ),
    Case("a table may require a filter on its partitions", required_filter, QUERY, "querying-partitioned-tables"),
    Case("constants prune partitions", pruned, True, "querying-partitioned-tables"),
    Case(
        "json text is read as JSON where the schema says so",
        lambda p: into(p, "JSON", one("j", pa.string(), '{"b": 1, "a": [2]}'), schema={"j": "JSON"}),
        [{"a": [2], "b": 1}],
        "known",
    ),
)
