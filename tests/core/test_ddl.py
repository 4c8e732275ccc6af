"""Changes and merges as SQL, compared with what a person has read: tests/cases/ddl/<warehouse>.sql."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import duckdb
import pytest
import sqlglot

from loader import warehouses
from loader.core import ddl, merge, staging
from loader.core.ddl import create_schema, sentence, steps
from loader.core.dialect import Dialect
from loader.core.merge import Source, Target
from loader.core.report import BOTH, EITHER, MIXED, Found, Part
from loader.core.schema import AddColumn, Change, Column, CreateTable, WidenColumn
from loader.core.staging import Staged
from loader.core.types import ColumnType
from loader.ledger import tables
from loader.warehouses.duckdb import DIALECT as DUCKDB

CASES = Path(__file__).parents[1] / "cases" / "ddl"
DIALECTS: list[Dialect] = [
    import_module(f"loader.warehouses.{each.name}").DIALECT for each in iter_modules(warehouses.__path__)
]

CHANGES: tuple[Change, ...] = (
    CreateTable("every_type", {kind.value: Column(kind) for kind in ColumnType}, {}),
    CreateTable("pages", {"id": Column(ColumnType.STRING), "received_at": Column(ColumnType.TIMESTAMP)}, {}),
    CreateTable("users", {"id": Column(ColumnType.STRING), "received_at": Column(ColumnType.TIMESTAMP)}, {}),
    CreateTable("order", {"select": Column(ColumnType.STRING), 'a"quote': Column(ColumnType.INTEGER, big=True)}, {}),
    AddColumn("order_completed", "coupon", ColumnType.STRING, Found()),
    AddColumn("order_completed", "items", ColumnType.JSON, Found()),
    WidenColumn("order_completed", "total", ColumnType.INTEGER, ColumnType.DOUBLE, Found()),
)
SAID = {
    ("pages", ""): "page calls; first seen 2026-01-01 05:10 UTC, load 0123456789abcdef",
    ("pages", "id"): 'it\'s a \\ "line"\nand another',
    ("order_completed", "coupon"): "sent as Coupon; first seen 2026-01-01 05:10 UTC",
}
SYSTEM = ("id", "received_at", "user_id", "anonymous_id")
TARGET = Target(
    schema="shop",
    table="order_completed",
    columns={
        **{name: Column(ColumnType.STRING) for name in ("id", "user_id", "anonymous_id")},
        "received_at": Column(ColumnType.TIMESTAMP),
        "as_it_is": Column(ColumnType.INTEGER),
        "absent": Column(ColumnType.TIMESTAMP),
        "mixed": Column(ColumnType.STRING),
        "either_as_text": Column(ColumnType.STRING),
        "either_as_json": Column(ColumnType.JSON),
        "timestamp": Column(ColumnType.TIMESTAMP),
        "timestamp_as_sent": Column(ColumnType.STRING),
        "timestamp_as_json": Column(ColumnType.JSON),
        "integer_as_double": Column(ColumnType.DOUBLE),
        "integer_as_text": Column(ColumnType.STRING),
        "double_as_text": Column(ColumnType.STRING),
        "double_as_json": Column(ColumnType.JSON),
        "boolean_as_text": Column(ColumnType.STRING),
        "string_as_json": Column(ColumnType.JSON),
        "json": Column(ColumnType.JSON),
        "json_as_text": Column(ColumnType.STRING),
        "loaded_at": Column(ColumnType.TIMESTAMP),
        "load_id": Column(ColumnType.STRING),
    },
    system=SYSTEM,
    load_id="0123456789abcdef",
    lowest=datetime(2025, 12, 25, tzinfo=UTC),
    highest=datetime(2026, 1, 8, 23, 59, 59, 999_999, tzinfo=UTC),
)
STAGED = Staged(
    "staged_parts",
    {
        "as_it_is": "integer",
        "mixed": MIXED,
        "either_as_text": EITHER,
        "either_as_json": EITHER,
        "timestamp": BOTH,
        "timestamp_as_sent": BOTH,
        "timestamp_as_json": BOTH,
        "integer_as_double": "integer",
        "integer_as_text": "integer",
        "double_as_text": "double",
        "double_as_json": "double",
        "boolean_as_text": "boolean",
        "string_as_json": "string",
        "json": "json",
        "json_as_text": "json",
    },
)
OTHERS = Staged("other_parts", {"as_it_is": "integer"})
PEOPLE = Target(
    schema="shop",
    table="identifies",
    columns={"id": Column(ColumnType.STRING), "load_id": Column(ColumnType.STRING)},
    system=SYSTEM,
    load_id="it's a load",  # a quote in a literal
    lowest=TARGET.lowest,
    highest=TARGET.highest,
)


def statements(dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield a title and a statement."""
    yield "create the schema", create_schema(dialect, "shop")
    for step in steps(dialect, "shop", CHANGES, SAID):
        for sql in step.statements:
            yield "; ".join(sentence("shop", each) for each in step.changes), sql
    for sql in ddl.comments(dialect, "shop", SAID):
        yield "say what is new", sql
    for sql in ddl.widen(dialect, ("shop", "order_completed", "at"), ColumnType.TIMESTAMP, ColumnType.JSON):
        yield "retype shop.order_completed.at from timestamp to json", sql
    yield "which tables have rows", merge.filled(dialect, "shop", ["pages", "tracks"])
    sources = [
        Source(TARGET, [STAGED, OTHERS], rows_there=True),
        Source(PEOPLE, [Staged("people_parts", {})], rows_there=False),
    ]
    yield "rows that are not inserted, of two tables of which one is empty", merge.duplicates(dialect, sources).strip()
    yield "insert rows of two groups of parts", merge.insert(dialect, TARGET, [STAGED, OTHERS], without="left_out")
    yield "insert all rows", merge.insert(dialect, PEOPLE, [Staged("people_parts", {})], without=None)
    people = [Staged("people_parts", {}), Staged("more_people_parts", {})]
    yield "is someone missing from users", merge.missing(dialect, PEOPLE, "users", people)
    columns = {
        **dict.fromkeys(("id", "email", "load_id"), Column(ColumnType.STRING)),
        **dict.fromkeys(("received_at", "loaded_at"), Column(ColumnType.TIMESTAMP)),
        "tags": Column(ColumnType.JSON),
    }
    made = merge.profile(dialect, PEOPLE, "users", columns, people)
    yield "forget the users of the load", made[0]
    yield "compute the users of the load anew", made[1]
    for view in tables.views(dialect):
        yield "a view of the ledger", view.partition("\n")[2].strip()


def script(dialect: Dialect) -> str:
    return "\n".join(f"-- {title}\n{_broken(sql)};\n" for title, sql in statements(dialect))


def _broken(sql: str) -> str:
    """Return SQL with a line per column where a line is too long for a diff."""
    return "\n".join(line.replace(", ", ",\n  ") if len(line) > 160 else line for line in sql.split("\n"))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_the_sql_is_what_was_read(dialect: Dialect) -> None:
    assert script(dialect) == (CASES / f"{dialect.name}.sql").read_text()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_statement_is_sql_to_a_parser_of_the_dialect(dialect: Dialect) -> None:
    for _, sql in statements(dialect):
        spoken = "duckdb" if dialect.name == "lake" else dialect.name  # a lake is merged by DuckDB
        assert len(sqlglot.parse(sql, dialect=spoken, error_level=sqlglot.ErrorLevel.RAISE)) == 1, sql


def test_descriptions_fit_into_a_statement() -> None:
    [dialect] = [each for each in DIALECTS if each.described]
    for count, most in ((2, 1_024), (1_000, 400), (8_000, 50)):
        columns = {f"c{number}": Column(ColumnType.STRING) for number in range(count)}
        sql = ddl.create_table(dialect, "shop", "t", columns, {("t", name): "x" * 5_000 for name in columns})
        assert re.findall("x+…?", sql) == [f"{'x' * (most - 1)}…"] * count
        assert len(sql) < 1_000_000  # cloud.google.com/bigquery/quotas#query_jobs, read 2026-11


def test_every_statement_is_sql_to_duckdb() -> None:
    assert len(duckdb.extract_statements(script(DUCKDB))) == len(list(statements(DUCKDB)))


def test_changes_made_twice_are_as_good_as_once() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop; CREATE TABLE shop.order_completed (total BIGINT)")
        once = [_tables(connection) for _ in range(2) if _apply(connection)]
    assert once[0] == once[1]
    assert ("order_completed", "total", "DOUBLE") in once[0]


def _apply(connection: duckdb.DuckDBPyConnection) -> bool:
    for step in steps(DUCKDB, "shop", CHANGES):
        for sql in step.statements:
            connection.execute(sql)
    return True


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    query = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'shop' ORDER BY ALL"
    return connection.execute(query).fetchall()


def test_parts_that_spell_a_column_in_two_ways_are_read_apart() -> None:
    parts = [
        Part("a", rows=1, size=1, columns={"total": "integer"}),
        Part("b", rows=1, size=1, columns={"total": "double"}),
        Part("c", rows=1, size=1, columns={"coupon": "string"}),
        Part("d", rows=1, size=1, columns={"coupon": MIXED, "total": "double"}),
    ]
    found = [("".join(part.key for part in each.parts), each.columns) for each in staging.groups(parts)]
    assert found == [
        ("ac", {"total": "integer", "coupon": "string"}),
        ("bd", {"total": "double", "coupon": MIXED}),
    ]
