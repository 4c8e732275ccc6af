"""COPY INTO a table from Parquet files in a stage.

Rules: docs.snowflake.com/en/sql-reference/sql/copy-into-table
- files are those of FILES, and each must be there; without, all below the location
- a file that the table has loaded before is skipped (64 days; here as long as the table), FORCE loads it again
- MATCH_BY_COLUMN_NAME pairs columns; one that only the file has is ignored, one that only the table has is null;
  without it a Parquet file makes one column of type variant
- without USE_LOGICAL_TYPE a Parquet timestamp is a number
- a text in a VARIANT column is a string there: it is not parsed
- a value longer than its VARCHAR, a null in NOT NULL, and text that is no number abort the statement: nothing is loaded
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from standins.snowflake.service import names
from standins.snowflake.service.names import Name
from standins.snowflake.service.refusals import RefusedError

_OPTION = re.compile(r"(\w+)\s*=\s*(\((?:[^()']|'[^']*')*\)|'[^']*'|\w+)", re.DOTALL)
_MATCHES = ("NONE", "CASE_SENSITIVE", "CASE_INSENSITIVE")
_FORMAT = {
    "TYPE",
    "USE_LOGICAL_TYPE",
    "USE_VECTORIZED_SCANNER",
    "BINARY_AS_TEXT",
    "COMPRESSION",
    "REPLACE_INVALID_CHARACTERS",
}
_KNOWN = {"FILES", "FILE_FORMAT", "MATCH_BY_COLUMN_NAME", "ON_ERROR", "FORCE", "PURGE"}
MAX_CHARACTERS = 134_217_728  # of VARCHAR without a length, since 2025


@dataclass(frozen=True)
class Order:
    """The options of a COPY."""

    files: list[str]
    match: str
    logical: bool
    force: bool
    purge: bool


@dataclass(frozen=True)
class Column:
    """A column of the target: the engine's type, whether null is allowed, and the longest text."""

    type: str
    nullable: bool
    characters: int


def order(written: str) -> Order:
    """Return the options after the location of a COPY. Raises what the compiler would say."""
    options = {name.upper(): value for name, value in _OPTION.findall(_without_format(written))}
    format_ = {name.upper(): value.upper() for name, value in _OPTION.findall(_format(written))}
    if unknown := sorted(options.keys() - _KNOWN) + sorted(format_.keys() - _FORMAT):
        raise RefusedError(1003, "42000", f"SQL compilation error: invalid parameter '{unknown[0]}'")
    if format_.get("TYPE", "CSV").strip("'") != "PARQUET":
        raise RefusedError(1003, "42000", "the stand-in copies Parquet only")
    match = options.get("MATCH_BY_COLUMN_NAME", "NONE").strip("'").upper()
    if match not in _MATCHES:
        raise RefusedError(
            1008, "22023", f"SQL compilation error: Invalid value '{match}' for parameter MATCH_BY_COLUMN_NAME"
        )
    if options.get("ON_ERROR", "ABORT_STATEMENT").strip("'").upper() != "ABORT_STATEMENT":
        raise RefusedError(1003, "42000", "the stand-in knows ON_ERROR = ABORT_STATEMENT only")
    files = re.findall(r"'((?:[^']|'')*)'", options.get("FILES", ""))
    flags = {name: options.get(name, "FALSE").upper() == "TRUE" for name in ("FORCE", "PURGE")}
    return Order(files, match, format_.get("USE_LOGICAL_TYPE") == "TRUE", flags["FORCE"], flags["PURGE"])


def _format(written: str) -> str:
    found = re.search(r"file_format\s*=\s*\(([^()]*)\)", written, re.IGNORECASE)
    return found[1] if found else ""


def _without_format(written: str) -> str:
    return re.sub(r"file_format\s*=\s*\([^()]*\)", "", written, flags=re.IGNORECASE)


def columns(engine: duckdb.DuckDBPyConnection, table: Name) -> dict[str, Column]:
    """Return the columns of a table, in order. Raises what Snowflake says of a missing one."""
    found = engine.execute(
        "SELECT c.column_name, c.data_type, c.is_nullable, e.ext_character_maximum_length FROM duckdb_columns() AS c "
        "LEFT JOIN _fs_global._fs_information_schema._fs_columns_ext AS e ON e.ext_table_catalog = c.database_name "
        "AND e.ext_table_schema = c.schema_name AND e.ext_table_name = c.table_name "
        "AND e.ext_column_name = c.column_name "
        "WHERE c.database_name = ? AND c.schema_name = ? AND c.table_name = ? ORDER BY c.column_index",
        list(table),
    ).fetchall()
    if not found:
        raise RefusedError(
            2003, "42S02", f"SQL compilation error: Table '{'.'.join(table)}' does not exist or not authorized."
        )
    whole = 16_777_216  # what fakesnow writes down where no length is given
    return {
        name: Column(kind, nullable, length if length and length != whole else MAX_CHARACTERS)
        for name, kind, nullable, length in found
    }


def copied(engine: duckdb.DuckDBPyConnection, table: Name, files: Mapping[str, Path], order: Order) -> dict[str, int]:
    """Add the rows of the files, all or none; return how many each had."""
    target = columns(engine, table)
    if order.match == "NONE" and (len(target) != 1 or next(iter(target.values())).type != "JSON"):
        raise RefusedError(
            2019,
            "0A000",
            "SQL compilation error: PARQUET file format can produce one and only one column of type variant.",
        )
    counts, selects = {}, []
    for key, path in files.items():
        relation = f"read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
        pairs = _pairs(engine, relation, target, order)
        counts[key] = _checked(engine, relation, target, pairs)
        chosen = ", ".join(pairs.get(name, (None, "NULL"))[1] for name in target)
        selects.append(f"SELECT {chosen} FROM {relation}")
    if selects:
        try:
            engine.execute(f"INSERT INTO {names.sql(table)} {' UNION ALL '.join(selects)}")
        except duckdb.ConversionException as error:
            raise RefusedError(100038, "22018", f"A value is not recognized: {str(error).splitlines()[0]}") from None
        except duckdb.ConstraintException:
            raise RefusedError(100072, "22000", "NULL result in a non-nullable column") from None
    return counts


Pairs = dict[str, tuple[str | None, str]]  # column of the table → (column of the file, its expression)


def _pairs(engine: duckdb.DuckDBPyConnection, relation: str, target: Mapping[str, Column], order: Order) -> Pairs:
    """Return which column of the file goes into which of the table."""
    found = {row[0]: row[1] for row in engine.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    if order.match == "NONE":
        fields = ", ".join(f"'{name}', \"{name}\"" for name in found)
        return {next(iter(target)): (None, f"json_object({fields})")}
    fold = str.upper if order.match == "CASE_INSENSITIVE" else str
    folded: dict[str, list[str]] = {}
    for name in found:
        folded.setdefault(fold(name), []).append(name)
    pairs: Pairs = {}
    for name, column in target.items():
        there = folded.get(fold(name), [])
        if len(there) > 1:
            raise RefusedError(100160, "22000", f"Duplicate column name '{name}' in the file.")
        if there:
            pairs[name] = (there[0], _expression(there[0], found[there[0]], column, order))
    return pairs


def _expression(name: str, kind: str, column: Column, order: Order) -> str:
    spelled = '"' + name.replace('"', '""') + '"'
    if kind.startswith("TIMESTAMP") and not order.logical:
        raise RefusedError(100035, "22007", f"Timestamp of column {name} is a number without USE_LOGICAL_TYPE.")
    if column.type == "JSON":
        return f"to_json({spelled})"
    if column.type == "TIMESTAMP WITH TIME ZONE" and kind == "TIMESTAMP":
        return f"{spelled} AT TIME ZONE 'UTC'"
    if kind == column.type or (kind, column.type) == ("BLOB", "VARCHAR"):
        return spelled
    return f"CAST({spelled} AS {column.type})"


def _checked(engine: duckdb.DuckDBPyConnection, relation: str, target: Mapping[str, Column], pairs: Pairs) -> int:
    """Return the rows of a file, once no text is too long and no null is where none may be."""
    absent = [name for name, column in target.items() if not column.nullable and name not in pairs]
    texts = [name for name, column in target.items() if column.type == "VARCHAR" and name in pairs]
    fixed = [name for name, column in target.items() if not column.nullable and name in pairs]
    asked: list[str] = ["count(*)"]
    asked += [f"coalesce(max(length({pairs[name][1]})), 0)" for name in texts]
    asked += [f"count(*) - count({pairs[name][1]})" for name in fixed]
    row: Any = engine.execute(f"SELECT {', '.join(asked)} FROM {relation}").fetchone()
    for name, length in zip(texts, row[1:], strict=False):
        if length > target[name].characters:
            raise RefusedError(
                100078, "22000", f"String of {length} characters is too long and would be truncated in {name}."
            )
    if row[0] and (absent or any(row[1 + len(texts) :])):
        raise RefusedError(100072, "22000", "NULL result in a non-nullable column")
    return int(row[0])
