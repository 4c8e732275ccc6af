"""Schemas as BigQuery's API writes them: names, types, what a Parquet file's columns are, and what may change.

Sources: cloud.google.com/bigquery/docs/schemas (names), /loading-data-cloud-storage-parquet (type conversions),
/managing-table-schemas (changes); read 2026-11.
"""

import re
from typing import Any

import pyarrow as pa

from standins.bigquery.answers import refused

Field = dict[str, Any]
DUCKDB = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "BOOL": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATETIME": "TIMESTAMP",
    "DATE": "DATE",
    "TIME": "TIME",
    "BYTES": "BLOB",
    "JSON": "JSON",
    "NUMERIC": "DECIMAL(38,9)",
    "BIGNUMERIC": "DECIMAL(38,18)",
}
_CANONICAL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "STRUCT": "RECORD"}
LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_SPELLED = {
    **{spelled.partition("(")[0]: name for name, spelled in reversed(DUCKDB.items()) if name != "BIGNUMERIC"},
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "INTEGER": "INT64",
    "HUGEINT": "INT64",
    "SMALLINT": "INT64",
    "DECIMAL": "NUMERIC",
    "FLOAT": "FLOAT64",
    "TIMESTAMP": "DATETIME",
    "TINYINT": "INT64",
    "UBIGINT": "INT64",
}
# What a load with an explicit schema reads into another type than the file's own.
_READ_AS = {("STRING", "JSON"), ("INT64", "TIMESTAMP"), ("BYTES", "STRING"), ("STRING", "BYTES")}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLEXIBLE = re.compile(r"[\w\-&%=+:'<>#| ]+")  # in DDL, and in a load with the character map V2
_RESERVED = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER")
MAX_NAME, MAX_COLUMNS = 300, 10_000


def kind(field: Field) -> str:
    """Return a field's type by its GoogleSQL name."""
    written = str(field["type"]).upper()
    return _CANONICAL.get(written, written)


def mode(field: Field) -> str:
    """Return NULLABLE, REQUIRED or REPEATED."""
    return str(field.get("mode") or "NULLABLE").upper()


def column_ddl(field: Field) -> str:
    """Return DuckDB's type of a field."""
    if kind(field) == "RECORD":
        inner = ", ".join(f'"{each["name"]}" {column_ddl(each)}' for each in field["fields"])
        spelled = f"STRUCT({inner})"
    else:
        spelled = DUCKDB[kind(field)]
    return f"{spelled}[]" if mode(field) == "REPEATED" else spelled


def of_duckdb(name: str, spelled: str) -> Field:
    """Return the field of a column of DuckDB, as a query's result shows it."""
    if spelled.endswith("[]"):
        return {**of_duckdb(name, spelled[:-2]), "mode": "REPEATED"}
    return {"name": name, "type": _SPELLED.get(spelled.partition("(")[0], "STRING"), "mode": "NULLABLE"}


def check_names(fields: list[Field], *, flexible: bool = False) -> None:
    """Refuse what is no column name, and two names that differ by case only."""
    allowed = _FLEXIBLE if flexible else _NAME
    seen: set[str] = set()
    if len(fields) > MAX_COLUMNS:
        raise refused(f"Too many columns: {len(fields)}; at most {MAX_COLUMNS} are allowed")
    for field in fields:
        name = field["name"]
        if not allowed.fullmatch(name) or len(name) > MAX_NAME:
            raise refused(
                f'Invalid field name "{name[:60]}". Fields must contain only letters, numbers, and underscores, start '
                f"with a letter or underscore, and be at most {MAX_NAME} characters long."
            )
        if name.upper().startswith(_RESERVED):
            raise refused(f"Invalid field name {name}: the prefix is reserved")
        if name.lower() in seen:
            raise refused(f"Duplicate(Case Insensitive) field names: {name.lower()} and {name}. Table: ")
        seen.add(name.lower())
        check_names(field.get("fields", []), flexible=flexible)


def of_arrow(data: pa.DataType, name: str, *, nullable: bool = True, lists: bool = False) -> Field:
    """Return the field that BigQuery makes of a Parquet column; `lists`: with list inference."""
    how = "NULLABLE" if nullable else "REQUIRED"
    if pa.types.is_list(data) or pa.types.is_large_list(data):
        if lists:
            return {**of_arrow(data.value_type, name), "mode": "REPEATED"}
        inner = {"name": "list", "type": "RECORD", "mode": "REPEATED", "fields": [of_arrow(data.value_type, "element")]}
        return {"name": name, "type": "RECORD", "mode": how, "fields": [inner]}
    if pa.types.is_struct(data):
        members = [of_arrow(each.type, each.name, nullable=each.nullable, lists=lists) for each in data]
        return {"name": name, "type": "RECORD", "mode": how, "fields": members}
    return {"name": name, "type": _plain(data), "mode": how}


def _plain(data: pa.DataType) -> str:
    types = pa.types
    if types.is_timestamp(data):
        return "TIMESTAMP" if data.tz else "DATETIME"
    if types.is_decimal(data):
        return "NUMERIC" if data.precision - data.scale <= 29 and data.scale <= 9 else "BIGNUMERIC"
    tests = {
        "BOOL": types.is_boolean,
        "INT64": types.is_integer,
        "FLOAT64": types.is_floating,
        "DATE": types.is_date,
        "TIME": types.is_time,
        "BYTES": lambda each: types.is_binary(each) or types.is_large_binary(each),
    }
    return next((name for name, test in tests.items() if test(data)), "STRING")


def check_read(file: list[Field], wanted: list[Field]) -> None:
    """Refuse a file whose columns an explicit schema cannot read; it names all of them."""
    known = {field["name"].lower(): field for field in wanted}
    for field in file:
        target = known.get(field["name"].lower())
        if target is None:
            raise refused(f"Provided Schema does not match the file. Cannot add fields (field: {field['name']})")
        if kind(target) != kind(field) and (kind(field), kind(target)) not in _READ_AS:
            raise refused(
                f"Error while reading data, error message: Parquet column '{field['name']}' has type {kind(field)} "
                f"which does not match the target cpp_type {kind(target)}."
            )


def evolved(old: list[Field], new: list[Field], where: str, *, add: bool, relax: bool, partial: bool) -> list[Field]:
    """Return the fields after `new` was provided for a table of `old`; `partial`: a load may leave columns out."""
    there = {field["name"].lower(): field for field in old}
    given = {field["name"].lower(): field for field in new}
    problem = f"Provided Schema does not match Table {where}."
    result = [_changed(field, given.get(key), problem, relax=relax, partial=partial) for key, field in there.items()]
    for key, field in given.items():
        if key in there:
            continue
        if not add:
            raise refused(f"{problem} Cannot add fields (field: {field['name']})")
        if mode(field) == "REQUIRED":
            raise refused(f"{problem} Cannot add required fields to an existing schema. (field: {field['name']})")
        result.append(field)
    return result


def _changed(field: Field, given: Field | None, problem: str, *, relax: bool, partial: bool) -> Field:
    name = field["name"]
    if given is None:
        if not partial:
            raise refused(f"{problem} Field {name} is missing in new schema")
        if mode(field) == "REQUIRED":
            raise refused(f"Required field {name} is missing")
        return field
    old, new = kind(field), kind(given)
    if old != new:
        was, now = LEGACY.get(old, old), LEGACY.get(new, new)
        raise refused(f"{problem} Field {name} has changed type from {was} to {now}")
    if mode(field) != mode(given) and not (mode(field) == "REQUIRED" and mode(given) == "NULLABLE" and relax):
        raise refused(f"{problem} Field {name} has changed mode from {mode(field)} to {mode(given)}")
    return {**field, **{key: given[key] for key in ("description",) if key in given}, "mode": mode(given)}
