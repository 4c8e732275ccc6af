"""Changes → SQL statements, for a dialect. No statement drops, narrows or replaces anything."""

from typing import assert_never

from loader.core.dialect import Dialect, quoted
from loader.core.schema import AddColumn, Change, Columns, CreateTable, WidenColumn


def create_schema(dialect: Dialect, schema: str) -> str:
    """Return the statement that makes a schema unless it is there."""
    return f"CREATE SCHEMA IF NOT EXISTS {quoted(dialect, schema)}"


def create_table(dialect: Dialect, schema: str, table: str, columns: Columns) -> str:
    """Return the statement that makes a table unless it is there."""
    lines = ",\n".join(f"  {quoted(dialect, name)} {dialect.types[each.type]}" for name, each in columns.items())
    return f"CREATE TABLE IF NOT EXISTS {quoted(dialect, schema, table)} (\n{lines}\n)"


def statement(dialect: Dialect, schema: str, change: Change) -> str:
    """Return the statement that makes a change. Run twice, it changes nothing more."""
    match change:
        case CreateTable(table, columns):
            return create_table(dialect, schema, table, columns)
        case AddColumn(table, column, kind):
            name = quoted(dialect, schema, table)
            return f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {quoted(dialect, column)} {dialect.types[kind]}"
        case WidenColumn(table, column, _, new):
            name = quoted(dialect, schema, table)
            return f"ALTER TABLE {name} ALTER COLUMN {quoted(dialect, column)} TYPE {dialect.types[new]}"
        case _:
            assert_never(change)


def sentence(schema: str, change: Change) -> str:
    """Return a change in words."""
    match change:
        case CreateTable(table, columns):
            return f"create {schema}.{table}, {len(columns)} columns"
        case AddColumn(table, column, kind):
            return f"add {schema}.{table}.{column} {kind.value}"
        case WidenColumn(table, column, old, new):
            return f"widen {schema}.{table}.{column} from {old.value} to {new.value}"
        case _:
            assert_never(change)
