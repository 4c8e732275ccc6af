"""Load and copy jobs: Parquet, uploaded or in Cloud Storage, into tables. All of a job's rows, or none.

Sources: cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet, /reference/rest/v2/Job#JobConfigurationLoad,
/managing-partitioned-table-data#write-to-partition, /quotas#load_jobs; read 2026-11.
"""

import io
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from standins.bigquery.answers import RefusalError, refused
from standins.bigquery.catalog import PROJECT, Name, check_layout, named
from standins.bigquery.fields import Field, check_names, check_read, column_ddl, evolved, kind, mode, of_arrow
from standins.bigquery.objects import objects
from standins.bigquery.statements import MAX_PARTITIONS, too_many_partitions
from standins.bigquery.work import Engine

_DISPOSITIONS = ("WRITE_APPEND", "WRITE_TRUNCATE", "WRITE_EMPTY")


def load(engine: Engine, config: dict[str, Any], data: bytes | None, storage: str | None) -> dict[str, Any]:
    """Run a load job; return its statistics."""
    name, day = _destination(config["destinationTable"])
    engine.catalog.dataset(name[0])
    files = (
        [data] if data is not None else list(objects(config.get("sourceUris", []), storage, engine.catalog.location))
    )
    rows, wanted = _agreed(files, config)
    disposition = config.get("writeDisposition", "WRITE_APPEND")
    if disposition not in _DISPOSITIONS:
        raise refused(f"Invalid value for writeDisposition: {disposition}")
    _prepared(engine, config, name, wanted, disposition, day)
    _check_days(engine, name, rows, day)
    if day and disposition == "WRITE_TRUNCATE":
        column = engine.catalog.tables[name]["timePartitioning"]["field"]
        same = f"strftime(\"{column}\" AT TIME ZONE 'UTC', '%Y%m%d') = '{day}'"
        engine.root.execute(f"DELETE FROM {named(name)} WHERE {same}")
    _insert(engine, name, rows)
    sizes = sum(map(len, files))
    counts = {
        "inputFiles": len(files),
        "inputFileBytes": sizes,
        "outputRows": rows.num_rows,
        "outputBytes": rows.nbytes,
    }
    return {key: str(value) for key, value in {**counts, "badRecords": 0}.items()}


def _agreed(files: list[bytes], config: dict[str, Any]) -> tuple[pa.Table, list[Field]]:
    """Return the files' rows, and the fields that the job asks for."""
    rows, read = _read(files, config)
    given = config.get("schema", {}).get("fields")
    if given:
        check_read(read, given)
    wanted = given or read
    flexible = config.get("columnNameCharacterMap") == "V2"
    check_names(read, flexible=flexible)
    check_names(wanted, flexible=flexible)
    return rows, wanted


def copy(engine: Engine, config: dict[str, Any]) -> dict[str, Any]:
    """Run a copy job; return its statistics."""
    source, _ = _destination(config.get("sourceTable") or config["sourceTables"][0])
    name, _ = _destination(config["destinationTable"])
    resource = engine.catalog.table(source)
    disposition = config.get("writeDisposition", "WRITE_EMPTY")
    if name in engine.catalog.tables and disposition == "WRITE_EMPTY" and engine.catalog.rows(name):
        raise refused(f"Already Exists: Table {PROJECT}:{name[0]}.{name[1]}", reason="duplicate")
    if name in engine.catalog.tables and disposition == "WRITE_TRUNCATE":
        engine.catalog.drop(name)
    if name not in engine.catalog.tables:
        layout = {key: resource[key] for key in ("timePartitioning", "clustering") if key in resource}
        engine.catalog.create(name, [dict(each) for each in engine.catalog.fields(source)], **layout)
    engine.root.execute(f"INSERT INTO {named(name)} BY NAME SELECT * FROM {named(source)}")
    return {"copiedRows": str(engine.catalog.rows(name))}


def _destination(reference: dict[str, str]) -> tuple[Name, str | None]:
    table, _, day = reference["tableId"].partition("$")
    return (reference["datasetId"], table), day or None


def _read(files: list[bytes], config: dict[str, Any]) -> tuple[pa.Table, list[Field]]:
    """Return the rows of all files, and the fields of their one schema."""
    if config.get("sourceFormat") != "PARQUET":
        raise refused(f"This stand-in loads PARQUET only, not {config.get('sourceFormat', 'CSV')}")
    try:
        tables = [pq.read_table(io.BytesIO(each)) for each in files]
    except (pa.ArrowInvalid, OSError) as error:
        raise refused(
            f"Error while reading data, error message: Input file is not in Parquet format. {error}"
        ) from error
    lists = bool(config.get("parquetOptions", {}).get("enableListInference"))
    fields = [
        [of_arrow(each.type, each.name, nullable=each.nullable, lists=lists) for each in table.schema]
        for table in tables
    ]
    # "Any difference in the position of columns qualifies as a different schema": enforced for lists of files too.
    if any(each != fields[0] for each in fields):
        raise refused("Error while reading data, error message: the files to be loaded have different schemas")
    return pa.concat_tables(tables), fields[0]


def _prepared(
    engine: Engine, config: dict[str, Any], name: Name, wanted: list[Field], disposition: str, day: str | None
) -> None:
    """Bring the table to the schema that the job asks for."""
    catalog = engine.catalog
    layout: dict[str, Any] = {key: config[key] for key in ("timePartitioning", "clustering") if key in config}
    where = f"{PROJECT}:{name[0]}.{name[1]}"
    options = config.get("schemaUpdateOptions", [])
    if options and not (disposition == "WRITE_APPEND" or (day and disposition == "WRITE_TRUNCATE")):
        raise refused(
            "Schema update options should only be specified with WRITE_APPEND disposition, or with "
            "WRITE_TRUNCATE disposition on a table partition."
        )
    catalog.expire()
    if name not in catalog.tables:
        if config.get("createDisposition") == "CREATE_NEVER":
            raise refused(f"Not found: Table {where}", reason="notFound")
        catalog.create(name, wanted, **layout)
        return
    check_layout(wanted, layout)
    _check_same_layout(catalog.tables[name], layout)
    if disposition == "WRITE_EMPTY" and catalog.rows(name):
        raise refused(f"Already Exists: Table {where}", reason="duplicate")
    if disposition == "WRITE_TRUNCATE" and not day:
        _replace(engine, name, wanted)
        return
    add, relax = "ALLOW_FIELD_ADDITION" in options, "ALLOW_FIELD_RELAXATION" in options
    fields = evolved(catalog.fields(name), wanted, where, add=add, relax=relax, partial=True)
    if fields != catalog.fields(name):
        catalog.apply(name, fields)


def _replace(engine: Engine, name: Name, wanted: list[Field]) -> None:
    """Make a table anew, with other fields and the same layout."""
    catalog = engine.catalog
    kept = ("timePartitioning", "clustering", "expirationTime", "labels", "description")
    how = {key: catalog.tables[name][key] for key in kept if key in catalog.tables[name]}
    catalog.drop(name)
    catalog.create(name, wanted, **how)


def _check_same_layout(resource: dict[str, Any], layout: dict[str, Any]) -> None:
    if "timePartitioning" in layout and layout["timePartitioning"] != resource.get("timePartitioning"):
        raise refused("Incompatible table partitioning specification. Expects partitioning specification to match")


def _check_days(engine: Engine, name: Name, rows: pa.Table, day: str | None) -> None:
    column = engine.catalog.tables[name].get("timePartitioning", {}).get("field")
    found = {each.lower(): each for each in rows.column_names}.get(str(column).lower())
    if day and not column:
        raise refused(f"Cannot load into a partition of {name[1]}: it is not partitioned")
    if not column or found is None:
        return
    days = pc.unique(pc.strftime(rows[found], format="%Y%m%d")).to_pylist()
    if len(days) > MAX_PARTITIONS:
        raise too_many_partitions(len(days))
    if day and set(days) - {day}:
        raise refused(f"Some rows belong to different partitions rather than destination partition {name[1]}${day}")


def _insert(engine: Engine, name: Name, rows: pa.Table) -> None:
    columns = {each.lower(): each for each in rows.column_names}
    used = [each for each in engine.catalog.fields(name) if each["name"].lower() in columns]
    for each in used:
        if mode(each) == "REQUIRED" and rows[columns[each["name"].lower()]].null_count:
            raise refused(f"Error while reading data, error message: Required field {each['name']} cannot be null")
    listed = ", ".join(f'"{each["name"]}"' for each in used)
    values = ", ".join(_value(each, f'"{columns[each["name"].lower()]}"') for each in used)
    engine.root.register("loaded", rows)
    try:
        engine.root.execute(f"INSERT INTO {named(name)} ({listed}) SELECT {values} FROM loaded")
    except duckdb.Error as error:
        raise RefusalError(
            400, "invalid", f"Error while reading data, error message: {str(error).splitlines()[0]}"
        ) from error
    finally:
        engine.root.unregister("loaded")


def _value(field: Field, column: str) -> str:
    if any(each["name"] == "list" and mode(each) == "REPEATED" for each in field.get("fields", [])):
        return f"struct_pack(list := list_transform({column}, x -> struct_pack(element := x)))"
    if kind(field) == "JSON":
        return f"bq_parse_json({column}, 'round')"
    return column if kind(field) == "RECORD" else f"CAST({column} AS {column_ddl(field)})"
