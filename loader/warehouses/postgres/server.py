"""Sessions on a PostgreSQL server, and what it takes to give it parts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from loader.config.warehouses import Postgres as Settings
from loader.core.binding import formatted
from loader.core.cost import Cost
from loader.core.dialect import fitted, quoted
from loader.core.faults import failure
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Group, Staged, groups, physical, staged_type, staging_table
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session, Site
from loader.errors import ConfigError, WarehouseError
from loader.warehouses.postgres.copying import OPTIONS, chunks
from loader.warehouses.postgres.dialect import DIALECT, FAULTS

if TYPE_CHECKING:
    import psycopg

_TYPES = {spelled.lower(): kind for kind, spelled in DIALECT.types.items()}
_MAX_BYTES = DIALECT.max_identifier_bytes
_CANCEL_SECONDS = 1.0
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
# Names that are too long are cut in the catalogue; the history of columns has them whole.
_LONG = f"""
SELECT DISTINCT table_name, column_name FROM loader.columns
WHERE schema_name = %s AND (length(table_name) > {_MAX_BYTES} OR length(column_name) > {_MAX_BYTES})"""


class Postgres:
    """A server, and the connections to it that are idle."""

    dialect = DIALECT

    def __init__(self, settings: Settings, site: Site) -> None:
        self._settings, self._site = settings, site
        self._idle: list[psycopg.Connection[Row]] = []
        self._lent: set[psycopg.Connection[Row]] = set()
        self._over = False
        self._lock = Lock()

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; a type that is not ours counts as a string."""
        with self._connection(f"describing {schema}") as connection:
            found = connection.execute(_COLUMNS, [schema]).fetchall()
            cut = any(len(name) == _MAX_BYTES for row in found for name in row[:2])
            long = connection.execute(_LONG, [schema]).fetchall() if cut else []
        whole = {fitted(name, _MAX_BYTES): name for row in long for name in row}
        tables: dict[str, dict[str, Column]] = {}
        for table, column, spelled in found:
            kind = _TYPES.get(spelled, ColumnType.STRING)
            tables.setdefault(whole.get(table, table), {})[whole.get(column, column)] = Column(kind)
        return tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction on a connection of its own."""
        with self._connection("the transaction") as connection:
            yield _Session(connection)

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield unlogged tables with the parts' rows; they are dropped at the end."""
        found = groups(delivery.parts)
        names = [staging_table(DIALECT, delivery, index) for index in range(len(found))]
        try:
            yield [self._copied(delivery, group, name) for group, name in zip(found, names, strict=True)]
        finally:
            with suppress(WarehouseError):  # the connection may be what failed; `clear` drops them then
                self._drop(names)

    def clear(self, load_id: str) -> None:
        """Drop the load's staging tables, if a crash left any."""
        with self._connection("clearing staging tables") as connection:
            found = connection.execute(
                "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
                [DIALECT.staging_schema, f"{load_id}_"],
            ).fetchall()
        self._drop([name for (name,) in found])

    def history(self) -> Mapping[str, Cost]:
        """Return nothing: it keeps none that it shows."""
        return {}

    def cancel(self) -> None:
        """Cancel what threads wait for on their connections, and lend no more."""
        with self._lock:
            self._over, lent = True, list(self._lent)
        for each in lent:
            with suppress(Exception):  # the server may be what does not answer
                each.cancel_safe(timeout=_CANCEL_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _copied(self, delivery: Delivery, group: Group, name: str) -> Staged:
        """Make a staging table and fill it."""
        columns = list(physical(delivery, group.columns).items())
        table = quoted(DIALECT, DIALECT.staging_schema, name)
        listed = ", ".join(f"{quoted(DIALECT, each)} {staged_type(DIALECT, kind)}" for each, kind in columns)
        with self._connection(f"staging {delivery.table}") as connection:
            session = _Session(connection)
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(DIALECT, DIALECT.staging_schema)}")
            session.execute(f"DROP TABLE IF EXISTS {table}")
            session.execute(f"CREATE UNLOGGED TABLE {table} ({listed})")
            began = time.monotonic()
            with connection.cursor().copy(f"COPY {table} FROM STDIN ({OPTIONS})") as copy:
                for part in group.parts:
                    for chunk in chunks(self._site.local(part.key), columns):
                        copy.write(chunk)
            cost = session.cost.plus(Cost(1, None, time.monotonic() - began))
        return Staged(table, group.columns, cost)

    def _drop(self, names: Sequence[str]) -> None:
        if names:
            listed = ", ".join(quoted(DIALECT, DIALECT.staging_schema, name) for name in names)
            with self._connection("dropping staging tables") as connection:
                connection.execute(f"DROP TABLE IF EXISTS {listed}".encode())

    @contextmanager
    def _connection(self, what: str) -> Iterator["psycopg.Connection[Row]"]:
        """Yield a connection in a transaction that ends with the block; it serves again unless the block failed."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        with _translated(what):
            connection = connection or _opened(self._settings, self._site)
            try:
                self._lend(connection)
                yield connection
                connection.commit()
            except BaseException:
                connection.close()  # what was begun is rolled back
                raise
            finally:
                self._lent.discard(connection)
        with self._lock:
            self._idle.append(connection)

    def _lend(self, connection: "psycopg.Connection[Row]") -> None:
        with self._lock:
            if self._over:
                raise WarehouseError("PostgreSQL: the work was given up; run again: the load continues")
            self._lent.add(connection)


class _Session:
    """A transaction."""

    dialect = DIALECT

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._connection = connection
        self.cost = Cost()

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows, or the count of those that it changed."""
        began = time.monotonic()
        with _translated(sql.strip().split("\n", 1)[0][:120]):
            cursor = self._connection.execute(formatted(sql).encode() if values else sql.encode(), values or None)
            found = [tuple(row) for row in cursor.fetchall()] if cursor.description else [(cursor.rowcount,)]
        self.cost = self.cost.plus(Cost(1, None, time.monotonic() - began))
        return found

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows through COPY."""
        if not rows:
            return
        names = ", ".join(quoted(DIALECT, name) for name in columns)
        began = time.monotonic()
        with _translated(f"adding {len(rows)} rows to {table}"):
            sql = f"COPY {quoted(DIALECT, *table.split('.'))} ({names}) FROM STDIN"
            with self._connection.cursor().copy(sql.encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        self.cost = self.cost.plus(Cost(1, None, time.monotonic() - began))

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make a temporary table that ends with the transaction."""
        listed = ", ".join(f"{quoted(DIALECT, column)} {DIALECT.types[kind]}" for column, kind in columns.items())
        self.execute(f"CREATE TEMPORARY TABLE {quoted(DIALECT, name)} ({listed}) ON COMMIT DROP")
        return f"pg_temp.{name}"


def connect(settings: Settings, site: Site) -> Postgres:
    """Connect to the server, so that what is wrong is told at once. ConfigError says how to get the driver."""
    opened = Postgres(settings, site)
    with opened._connection("connecting"):
        return opened


def _opened(settings: Settings, site: Site) -> "psycopg.Connection[Row]":
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError("PostgreSQL needs psycopg; pip install 'warehouse-loader[postgres]'") from error
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": settings.password and settings.password.reveal(),
        "sslrootcert": settings.root_certificate_file,
    }
    wait_seconds = max(int(site.wait_seconds), 1)
    options = f"-c TimeZone=UTC -c lock_timeout={wait_seconds * 1000} -c client_min_messages=warning"
    connection = psycopg.connect(
        **{name: value for name, value in given.items() if value is not None},
        sslmode=settings.sslmode,
        options=options + " -c default_transaction_read_only=on" * site.read_only,
        connect_timeout=max(wait_seconds, 2),
        application_name="loader",
        prepare_threshold=None,  # a pooler between us and the server may not know of prepared statements
    )
    connection.adapters.register_loader("jsonb", psycopg.types.string.TextLoader)  # json is text, as elsewhere
    return connection


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise psycopg's errors as ours, by what the caller can do about them."""
    try:
        import psycopg
    except ImportError:
        yield  # _opened says so
        return
    try:
        yield
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise failure(
            FAULTS, warehouse="PostgreSQL", what=what, codes=[error.sqlstate or ""], message=message
        ) from None
