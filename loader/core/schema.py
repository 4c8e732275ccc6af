"""Columns of tables, and the changes after which a warehouse's tables hold what a load found.

Nothing is ever dropped or narrowed. A new column's type holds every value of the load; a column that is there
keeps its type, but integers widen to doubles where nothing is lost by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loader.core.report import Found, TableReport
from loader.core.spec import CALLS, CONTEXT_OVERFLOW, CONTEXT_PREFIX, OVERFLOW, PROFILES, TRACKS, system_columns
from loader.core.types import ColumnType, Kind, Kinds, column_type


@dataclass(frozen=True, slots=True)
class Column:
    """A column's type, and whether an integer column ever held integers that a double would round."""

    type: ColumnType
    big: bool = False


Columns = Mapping[str, Column]
Tables = Mapping[str, Columns]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """A table that is not there yet, with all its columns; `found` has the evidence for those from the data."""

    table: str
    columns: Columns
    found: Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A column for values that the table could not take."""

    table: str
    column: str
    type: ColumnType
    found: Found


@dataclass(frozen=True, slots=True)
class WidenColumn:
    """A column whose type must hold more: integer to double, or what a person asked for."""

    table: str
    column: str
    old: ColumnType
    new: ColumnType
    found: Found


Change = CreateTable | AddColumn | WidenColumn
OVERFLOW_COLUMNS = (OVERFLOW, CONTEXT_OVERFLOW)


def widened(column: Column, kinds: Kinds) -> Column:
    """Return an existing column after it met values of `kinds`."""
    if column.type is not ColumnType.INTEGER:
        return column
    if kinds & Kind.DOUBLE and not column.big and not kinds & Kind.BIG:
        return Column(ColumnType.DOUBLE)
    return replace(column, big=True) if kinds & Kind.BIG else column


def family(table: str, call: str) -> str:
    """Return the table that decides the types of `table`'s context columns: `tracks` for all event tables."""
    return TRACKS if call == "track" else table


def settled(known: Tables, found: Mapping[str, TableReport], *, max_columns: int) -> dict[str, dict[str, Column]]:
    """Return the columns of every table in `found` after the load, system columns first.

    `known` are the tables as they are. New columns are admitted by the number of rows that have them, then by name.
    """
    tables: dict[str, dict[str, Column]] = {}
    for table in sorted(found, key=lambda name: name != TRACKS):  # `tracks` decides for the event tables
        report = found[table]
        columns = {name: Column(kind) for name, kind in system_columns(CALLS[report.call]).items()}
        columns |= known.get(table, {})
        own = {name: each for name, each in report.columns.items() if name not in OVERFLOW_COLUMNS}
        if family(table, report.call) != table:
            decided = tables[TRACKS]
            shared = [name for name in own if name.startswith(CONTEXT_PREFIX)]
            columns |= {name: decided[name] for name in sorted(shared) if name in decided}
            own = {name: each for name, each in own.items() if name not in shared}
        columns |= _grown(columns, own, max_columns)
        used = [name for name in OVERFLOW_COLUMNS if any(name in part.columns for part in report.parts)]
        columns |= {name: Column(ColumnType.JSON) for name in used}
        tables[table] = columns
    return tables | _followers(known, tables)


def _followers(known: Tables, tables: Mapping[str, Columns]) -> dict[str, dict[str, Column]]:
    """Return the event tables outside the load whose context columns change with those of `tracks`."""
    decided = tables.get(TRACKS, {})
    followers = {}
    for name, columns in known.items():
        if name not in tables and "event_text" in columns:
            shared = {each: decided[each] for each in columns if each.startswith(CONTEXT_PREFIX) and each in decided}
            if any(columns[each] != column for each, column in shared.items()):
                followers[name] = {**columns, **shared}
    return followers


def _grown(columns: Columns, found: Mapping[str, Found], max_columns: int) -> dict[str, Column]:
    grown = {name: widened(columns[name], each.kinds) for name, each in found.items() if name in columns}
    new = sorted((name for name in found if name not in columns), key=lambda name: (-found[name].rows, name))
    room = max_columns - sum(name not in OVERFLOW_COLUMNS for name in columns)
    for name in new[: max(room, 0)]:
        kinds = found[name].kinds
        if kind := column_type(kinds):
            grown[name] = Column(kind, big=kind is ColumnType.INTEGER and bool(kinds & Kind.BIG))
    return grown


def changes(known: Tables, wanted: Tables, found: Mapping[str, TableReport]) -> tuple[Change, ...]:
    """Return the changes, table by table and in column order, after which `known` holds `wanted`.

    Columns that only `known` has stay as they are. `found` gives the evidence.
    """
    needed: list[Change] = []
    for table, columns in wanted.items():
        evidence = found[table].columns if table in found else {}
        have = known.get(table)
        if have is None:
            needed.append(CreateTable(table, columns, evidence))
            continue
        for name, column in columns.items():
            cause = evidence.get(name, Found())
            if name not in have:
                needed.append(AddColumn(table, name, column.type, cause))
            elif have[name].type is not column.type:
                needed.append(WidenColumn(table, name, have[name].type, column.type, cause))
    return tuple(needed)


def with_profiles(tables: Mapping[str, dict[str, Column]]) -> dict[str, dict[str, Column]]:
    """Return the tables, and `users` and `accounts` where their sources are among them."""
    result = dict(tables)
    for profile, (source, key, left_out) in PROFILES.items():
        if source in tables:
            rest = {name: each for name, each in tables[source].items() if name not in {*left_out, key}}
            result[profile] = {"id": Column(ColumnType.STRING), **rest}
    return result
