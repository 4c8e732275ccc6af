"""A session on a lake: SQL on tables that are views over files, and what it adds or replaces, until the commit.

A table that is touched becomes, in a database in memory of the session's own, an empty table for new rows, and a view
of both the files and these. INSERT goes to the new rows. UPDATE, DELETE and a change of a type need the whole table:
its rows are copied into a table that takes the view's place, and a commit writes all of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from loader.core.cost import Cost
from loader.core.dialect import Dialect, quoted
from loader.core.types import ColumnType
from loader.core.warehouse import Row
from loader.warehouses.lake.catalogue import Catalogue, Catalogues, Change, File, Table
from loader.warehouses.lake.files import rows_of, translated
from loader.warehouses.lake.writing import Writer

_NAME = re.compile(r'"([^"]+)"\."([^"]+)"|\b(loader)\.(\w+)')
_STATEMENT = re.compile(
    r"(?:\s*--[^\n]*\n)*\s*(?P<verb>INSERT INTO|UPDATE|DELETE FROM|ALTER TABLE|CREATE TABLE|DROP TABLE"
    r"|CREATE OR REPLACE VIEW|CREATE SCHEMA|DROP SCHEMA)\s+(?:IF (?:NOT )?EXISTS\s+)?"
    r'(?P<name>"[^"]+"\."[^"]+"|loader\.\w+)?'
)
_WINDOW = re.compile(r"received_at BETWEEN TIMESTAMPTZ '(\d{4}-\d\d-\d\d)[^']*' AND TIMESTAMPTZ '(\d{4}-\d\d-\d\d)")
_DAYS, _WHOLE, _BROKEN = ("DATE", "TIMESTAMP"), ("TINYINT", "SMALLINT", "INTEGER", "HUGEINT"), ("FLOAT", "DECIMAL")
_NEAREST = {  # of the types of a lake, for what a query may have; text for all others
    **dict.fromkeys(_DAYS, "TIMESTAMP WITH TIME ZONE"),
    **dict.fromkeys(_WHOLE, "BIGINT"),
    **dict.fromkeys(_BROKEN, "DOUBLE"),
}
LEASES = "loader.leases"

Window = tuple[str, str]  # days, both included
_ALWAYS: Window = ("", "9999-99-99")
_NEVER: Window = ("9999-99-99", "")


@dataclass(slots=True)
class Touched:
    """A table that the session has looked at."""

    name: str  # schema.table
    before: Table | None
    files: list[File]
    columns: dict[str, str]
    window: Window = _NEVER  # of the files in the view
    whole: bool = False  # its rows are all in a table that took the view's place
    changed: bool = False
    gone: bool = False


class LakeSession:
    """A session on a database in memory that is the cursor's own."""

    cost = Cost()  # DuckDB runs in this process: what it costs is the load's own

    def __init__(self, cursor: duckdb.DuckDBPyConnection, catalogues: Catalogues, dialect: Dialect) -> None:
        self._cursor, self._catalogues, self.dialect = cursor, catalogues, dialect
        self._base: Catalogue = catalogues.newest()
        self._touched: dict[str, Touched] = {}
        self._views: dict[str, str] = {}  # made by this session
        self._shown: set[str] = set()  # views that its database has
        self._asked: set[str] = set()  # texts in statements about leases: the sources are among them
        self._types = {spelled: kind.value for kind, spelled in dialect.types.items()}
        self._run("CREATE SCHEMA added")

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows."""
        if LEASES in sql:
            self._asked.update(value for value in values if isinstance(value, str))
        found = _STATEMENT.match(sql)
        name = _plain(found["name"] or "") if found else ""
        self._look_at(sql[found.end() :] if found else sql)
        match found and found["verb"]:
            case "CREATE SCHEMA" | "DROP SCHEMA":
                return []
            case "CREATE OR REPLACE VIEW":
                self._views[name] = sql
                return self._show_view(name, sql)
            case "CREATE TABLE" if name:
                return self._create(name, sql)
            case "DROP TABLE" if name:
                return self._drop(name)
            case "INSERT INTO" if name:
                return self._insert(name, sql, values)
            case "ALTER TABLE" if " ADD COLUMN " in sql:
                return self._add_column(name, sql)
            case "UPDATE" | "DELETE FROM" | "ALTER TABLE" if name:
                return self._rewrite(name, sql, values)
            case _:
                return self._run(sql, values)

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows through Arrow: one statement, whatever their number."""
        if not rows:
            return
        place = table
        if not table.startswith("temp."):
            touched = self._looked(table, _NEVER)
            touched.changed, place = True, self._place(touched)
        data = pa.table({name: [row[index] for row in rows] for index, name in enumerate(columns)})
        names = ", ".join(quoted(self.dialect, name) for name in columns)
        with translated(f"adding {len(rows)} rows to {table}"):
            self._cursor.register("appended", data)
            self._cursor.execute(f"INSERT INTO {place} ({names}) SELECT * FROM appended")
            self._cursor.unregister("appended")

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make a temporary table, of this cursor alone."""
        spelled = ", ".join(
            f"{quoted(self.dialect, each)} {self.dialect.types[kind]}" for each, kind in columns.items()
        )
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} ({spelled})")
        return f"temp.main.{name}"

    def commit(self) -> None:
        """Write what changed, and then the catalogue that says so. WarehouseBusyError where others changed it too."""
        changed = [each for each in self._touched.values() if each.changed]
        if not changed and not self._views:
            return
        writer = Writer(self._cursor, self._catalogues.files, self.dialect)
        changes = [self._change(each, writer) for each in changed]

        def guard(newest: Catalogue) -> None:
            seen = self._touched.get(LEASES)
            now = newest.tables.get(LEASES)
            if seen is not None and now != seen.before:
                writer.check_leases(seen.files, self._catalogues.listed(now), self._asked)

        self._catalogues.commit(changes, self._views, guard, writer.reconciled)

    def _change(self, touched: Touched, writer: Writer) -> Change:
        keys = frozenset(file.key for file in touched.files)
        if touched.gone:
            return Change(touched.name, touched.before, touched.files, None, [], keys, whole=True)
        if touched.whole:
            added = writer.written(touched.name, touched.columns, _spelled(touched.name), live=keys)
            return Change(touched.name, touched.before, touched.files, touched.columns, added, keys, whole=True)
        added, removed = writer.appended(touched.name, touched.columns, touched.files, self._place(touched))
        return Change(touched.name, touched.before, touched.files, touched.columns, added, removed)

    def _run(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        with translated(sql.lstrip().split("\n", 1)[0][:120]):
            return self._cursor.execute(sql, list(values)).fetchall()

    def _look_at(self, sql: str) -> None:
        """Make views of all tables that a statement reads, of the days that it asks for."""
        windows = _WINDOW.findall(sql)
        window = (min(low for low, _ in windows), max(high for _, high in windows)) if windows else _ALWAYS
        for name in _names(sql):
            if name in self._base.views and name not in self._shown:
                self._shown.add(name)
                self._look_at(self._base.views[name])
                self._show_view(name, self._base.views[name])
            elif name in self._touched or name in self._base.tables:
                self._looked(name, window)

    def _looked(self, name: str, window: Window) -> Touched:
        """Return a table with at least these days in its view."""
        touched = self._touched.get(name)
        if touched is None:
            before = self._base.tables[name]
            touched = Touched(name, before, self._catalogues.listed(before), dict(before.columns))
            self._run(f"CREATE TABLE {self._place(touched)} ({self._spelled(before.columns)})")
            self._touched[name] = touched
            self._show(touched, window)
        elif not touched.whole and (window[0] < touched.window[0] or window[1] > touched.window[1]):
            self._show(touched, (min(window[0], touched.window[0]), max(window[1], touched.window[1])))
        return touched

    def _show(self, touched: Touched, window: Window) -> None:
        """Make the view of a table over the files of some days, and its new rows."""
        touched.window = window
        files = [each for each in touched.files if window[0] <= (each.day or window[0]) <= window[1]]
        paths = self._catalogues.files.paths([each.key for each in files])
        rows = rows_of(self.dialect, touched.columns, paths, self._place(touched))
        schema = quoted(self.dialect, touched.name.partition(".")[0])
        self._run(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE OR REPLACE VIEW {_spelled(touched.name)} AS {rows}")

    def _show_view(self, name: str, sql: str) -> list[Row]:
        self._shown.add(name)
        return self._run(f"CREATE SCHEMA IF NOT EXISTS loader; {sql}")

    def _own(self, name: str) -> Touched:
        """Return a table with all its rows in a table of the session's own."""
        touched = self._looked(name, _ALWAYS)
        if not touched.whole:
            schema, _, table = name.partition(".")
            copy = quoted(self.dialect, schema, "#own")
            self._run(f"CREATE TABLE {copy} AS SELECT * FROM {_spelled(name)}; DROP VIEW {_spelled(name)}")
            self._run(f"ALTER TABLE {copy} RENAME TO {quoted(self.dialect, table)}")
            touched.whole = True
        return touched

    def _place(self, touched: Touched) -> str:
        """Return where new rows go."""
        return _spelled(touched.name) if touched.whole else quoted(self.dialect, "added", touched.name)

    def _create(self, name: str, sql: str) -> list[Row]:
        known = self._touched.get(name)
        if (known and not known.gone) or (known is None and name in self._base.tables):
            return []
        touched = Touched(name, known.before if known else None, known.files if known else [], {}, changed=True)
        place = self._place(touched)
        self._run(_renamed(sql, place))
        for column, kind in self._spellings("added", name):  # of a query's result
            if kind not in self._types:
                ours = _NEAREST.get(kind.partition("(")[0], "VARCHAR")
                self._run(f"ALTER TABLE {place} ALTER COLUMN {quoted(self.dialect, column)} TYPE {ours}")
        self._touched[name] = touched
        return self._described(touched)

    def _drop(self, name: str) -> list[Row]:
        if name in self._touched or name in self._base.tables:
            touched = self._looked(name, _NEVER)
            self._run(f"DROP TABLE {quoted(self.dialect, 'added', name)}; DROP VIEW IF EXISTS {_spelled(name)}")
            touched.gone = touched.changed = True
        return []

    def _insert(self, name: str, sql: str, values: Sequence[object]) -> list[Row]:
        touched = self._looked(name, _NEVER)
        found = self._run(_renamed(sql, self._place(touched)), values)
        touched.changed = touched.changed or bool(found[0][0])
        return found

    def _rewrite(self, name: str, sql: str, values: Sequence[object]) -> list[Row]:
        touched = self._own(name)
        found = self._run(sql, values)
        if not found or not isinstance(found[0][0], int):  # of an ALTER there is no count
            touched.columns, touched.changed = self._kinds(*name.split(".")), True
        touched.changed = touched.changed or bool(found and found[0][0])
        return found

    def _add_column(self, name: str, sql: str) -> list[Row]:
        touched = self._looked(name, _NEVER)
        self._run(_renamed(sql, self._place(touched)))
        touched.changed = True
        return self._described(touched)

    def _described(self, touched: Touched) -> list[Row]:
        """Read a table's columns anew, and make its view of them."""
        place = touched.name.split(".") if touched.whole else ("added", touched.name)
        touched.columns = self._kinds(*place)
        if not touched.whole:
            self._show(touched, touched.window)
        return []

    def _spelled(self, columns: Mapping[str, str]) -> str:
        types = {name: self.dialect.types[ColumnType(kind)] for name, kind in columns.items()}
        return ", ".join(f"{quoted(self.dialect, name)} {spelled}" for name, spelled in types.items())

    def _kinds(self, schema: str, table: str) -> dict[str, str]:
        return {name: self._types[kind] for name, kind in self._spellings(schema, table)}

    def _spellings(self, schema: str, table: str) -> list[Row]:
        return self._run(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [schema, table],
        )


def _names(sql: str) -> Iterator[str]:
    """Yield the qualified names in a statement, each once."""
    yield from dict.fromkeys(f"{each[1] or each[3]}.{each[2] or each[4]}" for each in _NAME.finditer(sql))


def _plain(name: str) -> str:
    return name.replace('"', "")


def _spelled(name: str) -> str:
    schema, _, table = name.partition(".")
    return f'"{schema}"."{table}"'


def _renamed(sql: str, place: str) -> str:
    """Return a statement with another table in its beginning."""
    found = _STATEMENT.match(sql)
    assert found is not None
    return sql[: found.start("name")] + place + sql[found.end("name") :]
