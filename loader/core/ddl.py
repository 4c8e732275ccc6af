"""Changes → SQL statements, for a dialect. No statement drops, narrows or replaces what holds data.

Where a warehouse cannot alter a column's type, a new column takes its values and then its name. A crash between the
two leaves the new column under its own name; `repairs` finds it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import assert_never

from loader.core.converting import converted
from loader.core.dialect import Dialect, literal, quoted
from loader.core.schema import AddColumn, Change, Columns, CreateTable, Tables, WidenColumn
from loader.core.spec import PROFILES
from loader.core.types import ColumnType

Said = Mapping[tuple[str, str], str]  # what is said of a new (table, column), or of (table, "")
NOTHING: Said = {}
_DESCRIBED = 400_000  # characters of descriptions in one statement, which may have a million in BigQuery
NEW = "#new"  # behind the name of a column that takes over from another; an identifier never holds a `#`


@dataclass(frozen=True, slots=True)
class Step:
    """Changes of one table that are made together, and how."""

    changes: tuple[Change, ...]
    statements: tuple[str, ...]


def create_schema(dialect: Dialect, schema: str) -> str:
    """Return the statement that makes a schema unless it is there."""
    return f"CREATE SCHEMA IF NOT EXISTS {quoted(dialect, schema)}"


def create_table(dialect: Dialect, schema: str, table: str, columns: Columns, said: Said = NOTHING) -> str:
    """Return the statement that makes a table unless it is there."""
    described = partial(_described, dialect, said, table, len(columns))
    lines = ",\n".join(
        f"  {quoted(dialect, name)} {_stored(dialect, each.type)}{described(name)}" for name, each in columns.items()
    )
    layout = dialect.layout.profiles if table in PROFILES else dialect.layout.events
    chosen = layout if {"id", "received_at"} <= columns.keys() else dialect.layout.others
    of_table = described("", before="\n")
    return f"CREATE TABLE IF NOT EXISTS {quoted(dialect, schema, table)} (\n{lines}\n){chosen}{of_table}"


def steps(dialect: Dialect, schema: str, changes: Sequence[Change], said: Said = NOTHING) -> Iterator[Step]:
    """Yield the changes, in order, with their statements: columns are added as many at once as the warehouse can.

    What is said of tables and columns is in the statements where the warehouse takes it there; else see `comments`.
    """
    for (kind, table), group in groupby(changes, key=lambda each: (type(each), each.table)):
        members = list(group)
        if kind is AddColumn:
            added = [each for each in members if isinstance(each, AddColumn)]
            for start in range(0, len(added), dialect.adds_at_once):
                some = tuple(added[start : start + dialect.adds_at_once])
                yield Step(some, (add_columns(dialect, schema, table, some, said),))
        else:
            yield from (Step((each,), statements(dialect, schema, each, said)) for each in members)


def statements(dialect: Dialect, schema: str, change: Change, said: Said = NOTHING) -> tuple[str, ...]:
    """Return the statements that make a change."""
    match change:
        case CreateTable(table, columns):
            return (create_table(dialect, schema, table, columns, said), *_indexes(dialect, schema, table, columns))
        case AddColumn(table, _, _):
            return (add_columns(dialect, schema, table, [change], said),)
        case WidenColumn(table, column, old, new):
            return widen(dialect, (schema, table, column), old, new)
        case _:
            assert_never(change)


def _indexes(dialect: Dialect, schema: str, table: str, columns: Columns) -> Iterator[str]:
    """Yield the statements that index a table of events."""
    if table not in PROFILES and {"id", "received_at"} <= columns.keys():
        for number, each in enumerate(dialect.indexes):
            # Tables and indexes share their names; no table has a `#` in its.
            yield each.format(name=quoted(dialect, f"{table}#{number}"), table=quoted(dialect, schema, table))


def add_columns(dialect: Dialect, schema: str, table: str, columns: Sequence[AddColumn], said: Said = NOTHING) -> str:
    """Return the statement that adds columns to one table."""
    added = ", ".join(
        dialect.add_column.format(column=quoted(dialect, each.column), type=_stored(dialect, each.type))
        + _described(dialect, said, table, len(columns), each.column)
        for each in columns
    )
    return f"ALTER TABLE {quoted(dialect, schema, table)} {added}"


def widen(dialect: Dialect, place: tuple[str, str, str], old: ColumnType, new: ColumnType) -> tuple[str, ...]:
    """Return the statements that give a column (schema, table, name) a wider type and its values with it."""
    schema, table, name = place
    names = {"table": quoted(dialect, schema, table), "column": quoted(dialect, name)}
    value = converted(dialect, names["column"], old, new)
    names |= {"new": quoted(dialect, name + NEW), "type": _stored(dialect, new), "value": value}
    return tuple(each.format(**names) for each in dialect.widen_in_place.get((old, new), dialect.widen))


def repairs(dialect: Dialect, schema: str, found: Tables) -> list[str]:
    """Return the statements that end a widening which a crash cut short: the new column has all values by then, or
    the old one is still there and the new one is dropped, to be made again.
    """
    needed: list[str] = []
    for table, columns in found.items():
        for name in columns:
            if not name.endswith(NEW):
                continue
            where, left = quoted(dialect, schema, table), quoted(dialect, name)
            if (column := name.removesuffix(NEW)) in columns:
                needed.append(f"ALTER TABLE {where} DROP COLUMN {left}")
            else:
                needed.append(f"ALTER TABLE {where} RENAME COLUMN {left} TO {quoted(dialect, column)}")
    return needed


def mended(found: Tables) -> Tables:
    """Return tables as they are after `repairs`."""
    return {
        table: {
            name.removesuffix(NEW): each
            for name, each in columns.items()
            if not name.endswith(NEW) or name.removesuffix(NEW) not in columns
        }
        for table, columns in found.items()
    }


def comments(dialect: Dialect, schema: str, said: Said) -> Iterator[str]:
    """Yield the statements that say what tables and columns are, where the warehouse has such statements."""
    for (table, column), text in said.items():
        names = {"table": quoted(dialect, schema, table), "text": literal(dialect, text)}
        if column and dialect.comment_column:
            yield dialect.comment_column.format(**names, column=quoted(dialect, column))
        elif not column and dialect.comment_table:
            yield dialect.comment_table.format(**names)


def _described(dialect: Dialect, said: Said, table: str, count: int, column: str, *, before: str = " ") -> str:
    """Return what follows one of so many new columns, or, of no name, a new table; empty where nothing is said."""
    text = said.get((table, column), "")
    if not text or not dialect.described:
        return ""
    limit = min(dialect.max_described, _DESCRIBED // count)
    short = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return before + dialect.described.format(text=literal(dialect, short))


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


def _stored(dialect: Dialect, kind: ColumnType) -> str:
    return dialect.stored.get(kind) or dialect.types[kind]
