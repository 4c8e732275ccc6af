"""DuckDB, the embedded default: one file, one process at a time.

While a process has the file open for writing no other can open it, not even to read
(duckdb.org/docs/stable/connect/concurrency). So it is held open only while it is needed, and waited for.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, get_ident

import duckdb

from loader.config.warehouses import IN_MEMORY
from loader.config.warehouses import DuckDB as Settings
from loader.core.cost import Cost
from loader.core.dialect import Dialect, literal, quoted
from loader.core.report import Part
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Group, Staged, groups
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session, Site
from loader.errors import AccessError, CapacityError, WarehouseError, WarehouseLockedError

DIALECT = Dialect(
    name="duckdb",
    types={
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.DOUBLE: "DOUBLE",
        ColumnType.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
        ColumnType.STRING: "VARCHAR",
        ColumnType.JSON: "JSON",
    },
    in_place=True,
    shared_rows=60_000,
    shared_columns=256,  # DuckDB holds a block of 256 KiB for each until it commits
)
_TYPES = {spelled: kind for kind, spelled in DIALECT.types.items()}
_MAX_OPEN, _MAX_SHAPES = 256, 4  # parts that are read by name at once; sets of columns with a statement each
_MAX_STATEMENTS = 400  # with one opening: DuckDB keeps 0.7 MB of what each table was touched for until it is closed
_FIRST_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.02, 0.5
_HEADERS_BYTES, _MAGIC = 3 * 4096, slice(8, 12)  # duckdb.org/docs/stable/internals/storage
_HOLDER = re.compile(r"Conflicting lock is held in (.+?)(?:\. | by|$)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
Locate = Callable[[str], str]  # key of a part → path of a file on this machine


class DuckDB:
    """An open DuckDB file; closed and opened anew between transactions where very many tables are merged."""

    dialect = DIALECT

    def __init__(self, open_file: Callable[[], duckdb.DuckDBPyConnection], locate: Locate, *, lasting: bool) -> None:
        self._open, self._locate = open_file, locate
        self._connection: duckdb.DuckDBPyConnection | None = open_file()
        self._most = _MAX_STATEMENTS if lasting else None  # in memory, closing it would be the end of it
        self._statements = 0
        self._changed, self._sessions, self._resting = Condition(), Counter[int](), False

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; a type that is not ours counts as a string."""
        query = (
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name, column_index"
        )
        with self.session() as session:
            found = session.execute(query, [schema])
        tables: dict[str, dict[str, Column]] = {}
        for table, column, spelled in found:
            tables.setdefault(table, {})[column] = Column(_TYPES.get(spelled, ColumnType.STRING))
        return tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction on a cursor of its own."""
        cursor = self._entered()
        found = _Cursor(cursor)
        try:
            with _translated("the warehouse"):
                cursor.execute("BEGIN")
            try:
                yield found
            except BaseException:
                with suppress(duckdb.Error):  # the first error counts; a closed connection has rolled back
                    cursor.execute("ROLLBACK")
                raise
            with _translated("the warehouse"):
                cursor.execute("COMMIT")
        finally:
            cursor.close()
            self._left(found.statements)

    def _entered(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor for a session of this thread. It waits while others wait to close the file."""
        me = get_ident()
        with self._changed:
            self._changed.wait_for(lambda: me in self._sessions or not self._resting)
            if self._connection is None:
                self._connection = self._open()
            cursor = self._connection.cursor()
            self._sessions[me] += 1
            return cursor

    def _left(self, statements: int) -> None:
        with self._changed:
            self._sessions -= Counter({get_ident(): 1})
            self._statements += statements
            self._changed.notify_all()

    def _rest(self) -> None:
        """Close the file if much was done since it was opened, so that DuckDB gives its memory back."""
        with self._changed:
            if self._most is None or self._statements < self._most or get_ident() in self._sessions:
                return
            self._resting = True
            try:
                self._changed.wait_for(lambda: not self._sessions)
                if self._statements >= self._most:
                    self.close()
                    self._statements = 0
            finally:
                self._resting = False
                self._changed.notify_all()

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield the parts as they are: DuckDB reads Parquet in place."""
        self._rest()
        yield [self._staged(*some) for group in groups(delivery.parts) for some in _shares(group)]

    def _staged(self, parts: Sequence[Part], columns: Mapping[str, str]) -> Staged:
        files = ", ".join(literal(DIALECT, self._locate(part.key)) for part in parts)
        alike = f"read_parquet([{files}])"
        if all(part.columns.keys() == columns.keys() for part in parts):
            return Staged(alike, columns)
        return Staged(f"read_parquet([{files}], union_by_name = true)", columns, narrow=alike)

    def clear(self, load_id: str) -> None:
        """Do nothing: parts are read in place, so nothing is left behind."""

    def history(self) -> Mapping[str, Cost]:
        """Return nothing: it runs in this process, and keeps none."""
        return {}

    def cancel(self) -> None:
        """Do nothing: no server is waited for."""

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            with _translated("the warehouse"):
                self._connection.close()
            self._connection = None


def _shares(group: Group) -> list[tuple[Sequence[Part], Mapping[str, str]]]:
    """Return a group's parts in shares that are worth a statement of their own, with the columns of each.

    Parts that are read by name stay open until the statement ends, at about 100 KB each; those that have the same
    columns need not be read by name.
    """
    if len(group.parts) <= _MAX_OPEN:
        return [(group.parts, group.columns)]
    shapes: dict[frozenset[str], list[Part]] = {}
    for part in group.parts:
        shapes.setdefault(frozenset(part.columns), []).append(part)
    if len(shapes) <= _MAX_SHAPES:
        return [(parts, {name: group.columns[name] for name in sorted(shape)}) for shape, parts in shapes.items()]
    return [(group.parts[first : first + _MAX_OPEN], group.columns) for first in range(0, len(group.parts), _MAX_OPEN)]


class _Cursor:
    """A session on one cursor."""

    dialect = DIALECT
    cost = Cost()  # DuckDB runs in this process: what it costs is the load's own

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor, self.statements = cursor, 0

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows."""
        self.statements += 1
        with _translated(sql.split("\n", 1)[0][:120]):
            return self._cursor.execute(sql, list(values)).fetchall()

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows through Arrow: one statement, whatever their number."""
        if not rows:
            return
        import pyarrow as pa  # a run that finds nothing to do adds nothing, and need not wait for this import

        data = pa.table({name: [row[index] for row in rows] for index, name in enumerate(columns)})
        names = ", ".join(quoted(DIALECT, name) for name in columns)
        with _translated(f"adding {len(rows)} rows to {table}"):
            self._cursor.register("appended", data)
            self._cursor.execute(f"INSERT INTO {quoted(DIALECT, *table.split('.'))} ({names}) SELECT * FROM appended")
            self._cursor.unregister("appended")

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make a temporary table, of this cursor alone."""
        listed = ", ".join(f"{quoted(DIALECT, column)} {DIALECT.types[kind]}" for column, kind in columns.items())
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({listed})")
        return f"temp.main.{name}"


def connect(settings: Settings, site: Site) -> DuckDB:
    """Open a DuckDB file, waiting at most `site.wait_seconds` for another process to let go of it.

    Read-only, a file that is not there is an empty warehouse in memory. WarehouseLockedError says who holds it.
    """
    path, read_only = settings.path, site.read_only
    if read_only and not Path(path).exists():
        path, read_only = IN_MEMORY, False
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": settings.threads or site.threads,
        "memory_limit": f"{settings.memory // (1 << 20)}MB",
        "autoinstall_known_extensions": False,  # it would fetch code from the network, even for a file of SQLite's
    }
    _drop_stillborn(Path(path))

    def open_file() -> duckdb.DuckDBPyConnection:
        deadline, wait = time.monotonic() + site.wait_seconds, _FIRST_WAIT_SECONDS
        while True:
            try:
                with _translated(path):
                    connection = duckdb.connect(path, read_only=read_only, config=config)
                    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
                    return connection
            except WarehouseLockedError:
                if time.monotonic() + wait > deadline:
                    raise
            time.sleep(wait)
            wait = min(wait * 2, _MAX_WAIT_SECONDS)

    return DuckDB(open_file, site.local, lasting=path != IN_MEMORY)


def _drop_stillborn(path: Path) -> None:
    """Remove a file that has not all of its three headers: a process was killed before DuckDB had written them.

    Nothing was in it, and nothing can read it. One that is just being made has them after a moment.
    """
    if _is_stillborn(path):
        time.sleep(_MAX_WAIT_SECONDS)
        if _is_stillborn(path):
            path.unlink(missing_ok=True)


def _is_stillborn(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size >= _HEADERS_BYTES:
        return False
    start = path.read_bytes()[: _MAGIC.stop]
    return not start or start[_MAGIC] == b"DUCK"  # a file of another kind is not ours


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise DuckDB's errors as ours, by what the caller can do about them."""
    try:
        yield
    except duckdb.IOException as error:
        raise _io_error(what, str(error)) from error
    except duckdb.OutOfMemoryException as error:
        raise CapacityError(
            f"DuckDB ran out of memory; raise `memory` in [warehouse], or lower `threads` ({_short(error)})"
        ) from error
    except duckdb.ConversionException as error:  # its text quotes the value, which may be a person's
        raise WarehouseError(f"DuckDB could not convert a value: {what}: {_QUOTED.sub('…', _short(error))}") from None
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB refused: {what}: {_short(error)}") from error


def _io_error(what: str, text: str) -> Exception:
    if "lock" in text.lower():
        holder = _HOLDER.search(text)
        who = f"process {holder[1].strip()}" if holder else "another process"
        return WarehouseLockedError(
            f"{what} is held by {who}; DuckDB lets one process in at a time: wait for it, or close it, then run again"
        )
    if "No space left" in text or "Disk quota" in text:
        return CapacityError(f"{what}: no space left on the disk; free some, then run again: the load continues")
    if "Permission denied" in text:
        return AccessError(f"{what}: permission denied; make the file and its folder writable for this user")
    if "not a valid DuckDB" in text or text.startswith("IO Error: Extension"):
        return WarehouseError(f"{what} is no DuckDB file; correct `path` in [warehouse], or move that file away")
    return WarehouseError(f"{what}: {text.splitlines()[0]}")


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
