"""The history of columns, the rejects, and the quarantine."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from loader.core.ddl import Step
from loader.core.dialect import Dialect, among, quoted
from loader.core.places import place
from loader.core.plan import PlannedLoad
from loader.core.report import ROW, BadFile, Found
from loader.core.schema import AddColumn, Change, Column, CreateTable, Tables, WidenColumn
from loader.core.staging import Staged
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session

_COLUMNS = (
    *("schema_name", "table_name", "column_name", "change", "type", "old_type", "big"),
    *("load_id", "file", "line", "spelled", "statement", "changed_at"),
)
# A row key as routing.row_key makes it: file, line and element.
_FILE_SHIFT, _LINE_SHIFT, _LINE_MASK, _ELEMENT_MASK = 47, 20, 134217727, 1048575


def big_columns(session: Session, schema: str) -> set[tuple[str, str]]:
    """Return the tables and columns of integers that held more than a double can."""
    rows = session.execute(
        "SELECT DISTINCT table_name, column_name FROM loader.columns WHERE schema_name = ? AND big", [schema]
    )
    return {(table, column) for table, column in rows}


def note_changes(session: Session, schema: str, steps: Sequence[Step], load: PlannedLoad, now: datetime) -> None:
    """Write the history of the columns that the changes made. Statements for many columns stand at the first."""
    rows: list[Row] = []
    for step in steps:
        # For people to read: its beginning will do.
        statement: str | None = ";\n".join(step.statements)[: session.dialect.max_text_bytes or None]
        for change in step.changes:
            for name, column, old, found, kind in _columns(change):
                file, line = _origin(found, load)
                spelled = ", ".join(found.spelled) or None
                where = (schema, change.table, name, kind, column.type.value, old, column.big)
                rows.append((*where, load.load_id, file, line, spelled, statement, now))
                statement = None  # at every column of 2,000 wide tables, it was most of the memory of a load
    session.append("loader.columns", _COLUMNS, rows)


def note_big(session: Session, schema: str, before: Tables, after: Tables, load_id: str, now: datetime) -> None:
    """Write which integer columns held, for the first time, more than a double can."""
    rows = [
        (schema, table, name, "digits", column.type.value, None, True, load_id, None, None, None, None, now)
        for table, columns in after.items()
        for name, column in columns.items()
        if column.big and name in before.get(table, {}) and not before[table][name].big
    ]
    session.append("loader.columns", _COLUMNS, rows)


def note_retype(
    session: Session, place: tuple[str, str, str], old: ColumnType, new: ColumnType, statement: str, now: datetime
) -> None:
    """Write that a person gave a column (schema, table, name) another type. Twice, it is written once."""
    said = "SELECT 1 FROM loader.columns WHERE schema_name = ? AND table_name = ? AND column_name = ?"
    if session.execute(f"{said} AND change = 'retype' AND changed_at = ?", [*place, now]):
        return
    session.execute(
        "INSERT INTO loader.columns (schema_name, table_name, column_name, change, type, old_type, big, statement, "
        "changed_at) VALUES (?, ?, ?, 'retype', ?, ?, false, ?, ?)",
        [*place, new.value, old.value, statement, now],
    )


def _columns(change: Change) -> Iterable[tuple[str, Column, str | None, Found, str]]:
    match change:
        case CreateTable(_, columns, found):
            return [(name, column, None, found.get(name, Found()), "create") for name, column in columns.items()]
        case AddColumn(_, name, kind, found):
            return [(name, Column(kind), None, found, "add")]
        case WidenColumn(_, name, old, new, found):
            return [(name, Column(new), old.value, found, "widen")]


def _origin(found: Found, load: PlannedLoad) -> tuple[str | None, int | None]:
    ordinal, line, _ = place(found.first)
    return (load.arrivals[ordinal].file.key, line) if ordinal < len(load.arrivals) else (None, None)


def note_rejects(
    session: Session, load_id: str, source: str, schema: str, staged: Staged, without: Sequence[str]
) -> int:
    """Write rejects from staged parts, but for those of the tables `without`; return how many."""
    file, line, _ = _places(session.dialect)
    wanted = f"\nWHERE r.table_name NOT IN {among(len(without))}" if without else ""
    count = session.execute(
        f"""
INSERT INTO loader.rejects
  (load_id, source, schema_name, table_name, row_id, column_name, value, reason, file, line, rejected_at)
SELECT ?, ?, ?, r.table_name, r.row_id, r.column_name, r.value, r.reason, f.key, {line}, {session.dialect.now}
FROM {staged.relation} AS r JOIN loader.files AS f ON f.load_id = ? AND f.ordinal = {file}{wanted}""",
        [load_id, source, schema, load_id, *without],
    )
    return int(count[0][0])


def note_quarantine(session: Session, load_id: str, source: str, staged: Staged) -> None:
    """Write quarantined lines from staged parts."""
    file, line, element = _places(session.dialect)
    session.execute(
        f"""
INSERT INTO loader.quarantine (load_id, source, file, version, line, element, reason, quarantined_at)
SELECT ?, ?, f.key, f.version, {line}, {element}, q.reason, {session.dialect.now}
FROM {staged.relation} AS q JOIN loader.files AS f ON f.load_id = ? AND f.ordinal = {file}""",
        [load_id, source, load_id],
    )


def _places(dialect: Dialect) -> tuple[str, str, str]:
    """Return the expressions for file, line and element of a staged row."""
    row = quoted(dialect, ROW)
    shifted = dialect.shift_right.format(value=row, bits=_LINE_SHIFT)
    return (
        dialect.shift_right.format(value=row, bits=_FILE_SHIFT),
        dialect.bit_and.format(value=f"({shifted})", mask=_LINE_MASK),
        dialect.bit_and.format(value=row, mask=_ELEMENT_MASK),
    )


def note_bad_files(session: Session, source: str, load: PlannedLoad, bad: Sequence[BadFile], now: datetime) -> None:
    """Write files that are quarantined whole, as line 0."""
    columns = ("load_id", "source", "file", "version", "line", "element", "reason", "quarantined_at")
    files = {each.file: load.arrivals[each.file].file for each in bad}
    rows = [
        (load.load_id, source, files[each.file].key, files[each.file].version, 0, 0, each.reason, now) for each in bad
    ]
    session.append("loader.quarantine", columns, rows)


def resolve(session: Session, source: str, load: PlannedLoad, now: datetime, *, frozen: bool) -> None:
    """Mark what earlier loads rejected and quarantined in this load's files as resolved: this load says it anew.

    The rejects of a file that was rewritten since stay: they belong to the rows of the earlier load. So do, unless the
    schema is `frozen` now too, those for which there was no column: no row that is there takes a value from a replay.
    """
    rewritten = "SELECT f.key FROM loader.files AS f WHERE f.load_id = ?"
    same = """
SELECT e.load_id || ' ' || e.key FROM loader.files AS e JOIN loader.files AS f
  ON f.source = e.source AND f.key = e.key AND f.version = e.version WHERE f.load_id = ?"""
    anew = f"load_id || ' ' || file IN ({same})" + ("" if frozen else " AND reason <> 'schema_frozen'")
    for table, chosen in (("quarantine", f"file IN ({rewritten})"), ("rejects", anew)):
        session.execute(
            f"UPDATE loader.{table} SET resolved_at = ? WHERE source = ? AND load_id <> ? AND resolved_at IS NULL "
            f"AND {chosen}",
            [now, source, load.load_id, load.load_id],
        )


def known_tables(
    found: Tables, big: Mapping[tuple[str, str], bool] | set[tuple[str, str]]
) -> dict[str, dict[str, Column]]:
    """Return the tables of a schema with what the history adds: which integer columns are big."""
    return {
        table: {name: Column(each.type, (table, name) in big) for name, each in columns.items()}
        for table, columns in found.items()
    }
