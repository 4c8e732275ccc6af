"""INFORMATION_SCHEMA, as far as a loader asks it, and the bytes that a statement reads.

Source: cloud.google.com/bigquery/docs/information-schema-intro, and /querying-partitioned-tables for pruning: only
constants prune. Bytes are an estimate, eight a value, so that a test can compare two; they are not BigQuery's.
"""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from standins.bigquery.answers import refused
from standins.bigquery.catalog import Catalog, Name, named
from standins.bigquery.dialect import invalid, translated
from standins.bigquery.fields import kind
from standins.bigquery.work import Work

VIEWS = ("COLUMNS", "TABLES", "PARTITIONS", "COLUMN_FIELD_PATHS", "JOBS_BY_USER")
_LABELS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
_JOBS = pa.schema(
    [
        *((name, pa.string()) for name in ("job_id", "state", "job_type", "statement_type")),
        ("creation_time", pa.timestamp("us", "UTC")),
        *((name, pa.int64()) for name in ("total_bytes_processed", "total_bytes_billed", "total_slot_ms")),
        ("session_info", pa.struct([("session_id", pa.string())])),
        ("labels", _LABELS),
    ]
)


def provide(catalog: Catalog, work: Work, table: exp.Table, jobs: list[dict[str, Any]]) -> None:
    """Put what a view holds now in the place of its name."""
    view = table.name.rpartition(".")[2].upper()
    dataset = table.db.rpartition(".")[2] if table.db.upper() != "INFORMATION_SCHEMA" else table.catalog
    if view not in VIEWS:
        raise refused(f"Not found: INFORMATION_SCHEMA.{view}", reason="notFound")
    if view == "JOBS_BY_USER":
        rows = pa.Table.from_pylist([_job(each) for each in jobs], schema=_JOBS)
    else:
        catalog.dataset(dataset)
        rows = _rows(catalog, dataset, view)
    made = f"information_{view.lower()}_{dataset.replace('-', '_').lower()}"
    work.cursor.register(made, rows)
    alias = table.args.get("alias")
    table.set("catalog", None)
    table.set("db", None)
    table.set("this", exp.to_identifier(made, quoted=True))
    if alias is None:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(view, quoted=True)))


def _rows(catalog: Catalog, dataset: str, view: str) -> pa.Table:
    catalog.expire()
    tables = {name: each for (held, name), each in catalog.tables.items() if held == dataset}
    match view:
        case "TABLES":
            made = [
                {"table_schema": dataset, "table_name": name, "table_type": _type(each)}
                for name, each in tables.items()
            ]
            return _table(made, ("table_schema", "table_name", "table_type"))
        case "PARTITIONS":
            rows = [each for name in tables for each in _partitions(catalog, (dataset, name))]
            return _table(rows, ("table_schema", "table_name", "partition_id", "total_rows"))
    columns = [
        {
            "table_schema": dataset,
            "table_name": name,
            "column_name": column["name"],
            "field_path": column["name"],
            "ordinal_position": place,
            "data_type": kind(column),
            "is_nullable": "NO" if column.get("mode") == "REQUIRED" else "YES",
            "is_partitioning_column": ("NO", "YES")[column["name"] == _partition_column(each)],
            "description": column.get("description"),
        }
        for name, each in tables.items()
        for place, column in enumerate(each["schema"]["fields"], 1)
    ]
    names = ("table_schema", "table_name", "column_name", "field_path", "ordinal_position", "data_type", "is_nullable")
    return _table(columns, (*names, "is_partitioning_column", "description"))


def _table(rows: list[dict[str, Any]], names: tuple[str, ...]) -> pa.Table:
    numbers = {"ordinal_position", "total_rows"}
    return pa.Table.from_pylist(
        rows, pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in names])
    )


def _partition_column(resource: dict[str, Any]) -> str | None:
    found: str | None = resource.get("timePartitioning", {}).get("field")
    return found


def _type(resource: dict[str, Any]) -> str:
    return "VIEW" if resource["type"] == "VIEW" else "BASE TABLE"


def _partitions(catalog: Catalog, name: Name) -> list[dict[str, Any]]:
    column = catalog.tables[name].get("timePartitioning", {}).get("field")
    if not column:
        return []
    day = f"strftime(\"{column}\" AT TIME ZONE 'UTC', '%Y%m%d')"
    found = catalog.root.execute(f"SELECT {day}, count(*) FROM {named(name)} GROUP BY 1 ORDER BY 1").fetchall()
    return [
        {"table_schema": name[0], "table_name": name[1], "partition_id": each or "__NULL__", "total_rows": rows}
        for each, rows in found
    ]


def _job(job: dict[str, Any]) -> dict[str, Any]:
    statistics, labels = job.get("statistics", {}), job["configuration"].get("labels", {})
    query = statistics.get("query", {})
    session = statistics.get("sessionInfo", {}).get("sessionId")
    return {
        "job_id": job["jobReference"]["jobId"],
        "state": job["status"]["state"],
        "job_type": job["configuration"].get("jobType"),
        "statement_type": query.get("statementType"),
        "creation_time": datetime.fromtimestamp(int(statistics["creationTime"]) / 1000, UTC),
        "total_bytes_processed": int(statistics.get("totalBytesProcessed", 0)),
        "total_bytes_billed": int(query.get("totalBytesBilled", 0)),
        "total_slot_ms": int(statistics.get("totalSlotMs", 0)),
        "session_info": {"session_id": session} if session else None,
        "labels": [{"key": key, "value": value} for key, value in labels.items()],
    }


def scanned(catalog: Catalog, statement: exp.Expr, name: Name) -> int:
    """Return the bytes of a table that a statement reads."""
    resource = catalog.tables[name]
    if resource["type"] == "VIEW" or _is_only_written(statement, name):
        return 0
    column = resource.get("timePartitioning", {}).get("field")
    bounds = _bounds(statement, name, column) if column else []
    if column and not bounds and resource.get("requirePartitionFilter"):
        raise invalid(
            f"Cannot query over table '{name[0]}.{name[1]}' without a filter over column(s) '{column}' that can be "
            "used for partition elimination"
        )
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    found = catalog.root.execute(f"SELECT count(*) FROM {named(name)}{where}").fetchall()  # one row
    return int(found[0][0]) * 8 * len(catalog.fields(name))


def _is_only_written(statement: exp.Expr, name: Name) -> bool:
    places = [each for each in statement.find_all(exp.Table) if (each.db, each.name) == name]
    return (
        isinstance(statement, exp.Insert) and len(places) == 1 and places[0] in list(statement.this.find_all(exp.Table))
    )


def _bounds(statement: exp.Expr, name: Name, column: str) -> list[str]:
    """Return the conditions with constants on the partition column, where the table is selected from directly."""
    selects = [
        each
        for each in (*statement.find_all(exp.Select), statement)
        if (source := each.args.get("from_") if isinstance(each, exp.Select) else each)
        and any((table.db, table.name) == name for table in _direct(source))
    ]
    conditions: list[str] = []
    for select in selects:
        where = select.args.get("where")
        for each in (
            where.this.flatten() if where and isinstance(where.this, exp.And) else [where.this] if where else []
        ):
            names = {found.name for found in each.find_all(exp.Column)}
            constant = not any(each.find_all(exp.Select)) and isinstance(
                each, exp.Between | exp.GTE | exp.LTE | exp.GT | exp.LT | exp.EQ
            )
            if names == {column} and constant:
                bare = each.copy()
                for found in bare.find_all(exp.Column):
                    found.set("table", None)
                conditions.append(translated(bare))
    return conditions


def _direct(source: exp.Expr) -> list[exp.Table]:
    found = source.this
    return [found] if isinstance(found, exp.Table) else []
