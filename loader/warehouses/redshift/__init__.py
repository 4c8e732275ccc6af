"""Redshift: a provisioned cluster or a serverless workgroup, its parts in S3.

Redshift's default isolation since 2024 is snapshot: two transactions that both add rows do not see one another. So all
sessions that write begin with a lock on one small table, before anything else, which is when the snapshot is taken:
they come one after another, and none is refused for a conflict (error 1023) with another of ours.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from threading import Lock

from loader.config.warehouses import Redshift as Settings
from loader.core.cost import Cost
from loader.core.dialect import quoted
from loader.core.schema import Column, Tables
from loader.core.staging import Delivery, Staged
from loader.core.types import ColumnType
from loader.core.warehouse import Row, Session, Site
from loader.errors import WarehouseError
from loader.warehouses.redshift import driver
from loader.warehouses.redshift.dialect import DIALECT, STAGING
from loader.warehouses.redshift.driver import Link
from loader.warehouses.redshift.faults import PATTERNS
from loader.warehouses.redshift.history import History
from loader.warehouses.redshift.staging import Staging

__all__ = ["DIALECT", "PATTERNS", "Redshift", "connect"]

_TYPES = {
    "boolean": ColumnType.BOOLEAN,
    "bigint": ColumnType.INTEGER,
    "double precision": ColumnType.DOUBLE,
    "timestamp with time zone": ColumnType.TIMESTAMP,
    "super": ColumnType.JSON,
}
_LEDGER = "loader"  # the schema of the ledger, where the turn is
_TURN = quoted(DIALECT, _LEDGER, "turn")
_MAKERS = 4  # loaders that may be the first at once
_LEAST_WAIT_SECONDS = 600.0  # for the turn of another load, whose merge may take long
_MAX_PARAMETERS, _MAX_ROWS, _MAX_BYTES = 30_000, 1_000, 1 << 20  # of one INSERT


class Redshift:
    """An open Redshift: connections that are lent to sessions, one each."""

    dialect = DIALECT

    def __init__(self, settings: Settings, site: Site) -> None:
        self._settings, self._site = settings, site
        self._idle: list[Link] = []
        self._busy: set[Link] = set()
        self._over = False
        self._prepared = False
        self._lock = Lock()
        self._names = count()
        self._staging = Staging(settings, site)
        self._began, self._history = time.monotonic(), History()

    def describe(self, schema: str) -> Tables:
        """Return the columns of every table of `schema`, in order; a type that is not ours counts as a string."""
        with self._lent() as link:
            found = link.run(
                "SELECT table_name, column_name, data_type FROM svv_columns WHERE table_schema = ? "
                "ORDER BY table_name, ordinal_position",
                [schema],
            )
        tables: dict[str, dict[str, Column]] = {}
        for table, column, spelled in found:
            tables.setdefault(table, {})[column] = Column(_TYPES.get(spelled, ColumnType.STRING))
        return tables

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a transaction; one that may write waits for its turn first."""
        with self._lent() as link:
            self._prepare(link)
            link.run("BEGIN")
            try:
                if not self._site.read_only:
                    self._take_turn(link)
                yield _Session(link, self._names)
                link.run("COMMIT")
            except BaseException:
                with suppress(WarehouseError):  # the first error counts; a closed connection has rolled back
                    if not link.broken:
                        link.run("ROLLBACK")
                raise

    @contextmanager
    def staged(self, delivery: Delivery) -> Iterator[list[Staged]]:
        """Yield the parts in staging tables, dropped when the block ends."""
        with self._lent() as link:
            self._prepare(link)
            made = self._staging.deliver(link, delivery)
        try:
            yield made
        finally:
            with suppress(WarehouseError), self._lent() as link:  # `clear` drops what is left
                self._staging.drop(link, [each.relation for each in made])

    def clear(self, load_id: str) -> None:
        """Drop the staging tables of a load. Twice is fine."""
        with self._lent() as link:
            found = link.run(
                "SELECT table_name FROM svv_tables WHERE table_schema = ? AND table_name LIKE ?",
                [STAGING, f"{load_id.replace('_', '%')}%"],
            )
            self._staging.drop(link, [quoted(DIALECT, STAGING, name) for (name,) in found])

    def history(self) -> Mapping[str, Cost]:
        """Return what Redshift's own views say of the statements since this was opened, as far as they do."""
        with suppress(WarehouseError), self._lent() as link:
            return self._history.of(link, seconds=time.monotonic() - self._began)
        return {}

    def greet(self) -> None:
        """Connect, so that who cannot is told so at once."""
        with self._lent():
            pass

    def cancel(self) -> None:
        """Cancel what threads wait for on their connections, and lend no more."""
        with self._lock:
            self._over, busy = True, list(self._busy)
        for link in busy:
            link.cancel()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()

    def _prepare(self, link: Link) -> None:
        """Make the table whose lock is a turn, and the schema of staging tables, once. Twice is fine."""
        with self._lock:
            if self._prepared or self._site.read_only:
                return
            for left in reversed(range(_MAKERS)):
                try:
                    _make_turn(link)
                    break
                except WarehouseError:  # another loader may be making the same: then it is there next time
                    if not left or link.broken:
                        raise
            self._prepared = True

    def _take_turn(self, link: Link) -> None:
        wait = int(1000 * max(self._site.wait_seconds, _LEAST_WAIT_SECONDS))
        link.run(f"SET statement_timeout TO {wait}")
        link.run(f"LOCK {_TURN}")
        link.run("SET statement_timeout TO 0")

    @contextmanager
    def _lent(self) -> Iterator[Link]:
        with self._lock:
            link = self._idle.pop() if self._idle else None
        link = link or driver.connect(self._settings, self._history.marks)
        link.cost = Cost()
        try:
            self._lend(link)
            yield link
        finally:
            with self._lock:
                self._busy.discard(link)
                if not link.broken:
                    self._idle.append(link)
            if link.broken:
                link.close()

    def _lend(self, link: Link) -> None:
        with self._lock:
            if self._over:
                link.broken = True
                raise WarehouseError("Redshift: the work was given up; run again: the load continues")
            self._busy.add(link)


class _Session:
    """A session on one connection."""

    dialect = DIALECT

    def __init__(self, link: Link, names: Iterator[int]) -> None:
        self._link, self._names, self._before = link, names, link.cost
        self._json: dict[str, set[str]] = {}  # scratch relation → its json columns

    @property
    def cost(self) -> Cost:
        """Return the statements so far, their marks, and the seconds that their answers took."""
        return self._link.cost.minus(self._before)

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows."""
        return self._link.run(sql, values)

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows by INSERTs of bounded size."""
        target = table if table in self._json else quoted(DIALECT, *table.split("."))
        json = self._json.get(table, set())
        marks = "(" + ", ".join("JSON_PARSE(?)" if name in json else "?" for name in columns) + ")"
        head = f"INSERT INTO {target} ({', '.join(quoted(DIALECT, name) for name in columns)}) VALUES "
        for some in _bounded(rows, len(columns)):
            values = [value for row in some for value in row]
            self._link.run(head + ", ".join([marks] * len(some)), values, what=f"adding {len(some)} rows to {table}")

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make a temporary table, which goes with the connection."""
        relation = quoted(DIALECT, f"{name}_{next(self._names)}")
        lines = ", ".join(f"{quoted(DIALECT, column)} {DIALECT.types[kind]}" for column, kind in columns.items())
        self._link.run(f"CREATE TEMP TABLE {relation} ({lines})")
        self._json[relation] = {column for column, kind in columns.items() if kind is ColumnType.JSON}
        return relation


def _make_turn(link: Link) -> None:
    there = "SELECT 1 FROM svv_tables WHERE table_schema = ? AND table_name = ?"
    if not link.run(there, [_LEDGER, "turn"]):
        for schema in (_LEDGER, STAGING):
            link.run(f"CREATE SCHEMA IF NOT EXISTS {quoted(DIALECT, schema)}")
        link.run(f"CREATE TABLE IF NOT EXISTS {_TURN} (nothing BOOLEAN)")


def _bounded(rows: Sequence[Row], width: int) -> Iterator[list[Row]]:
    """Yield the rows in shares of bounded rows, parameters and bytes."""
    limit = max(1, min(_MAX_ROWS, _MAX_PARAMETERS // max(width, 1)))
    share: list[Row] = []
    size = 0
    for row in rows:
        own = sum(len(value) for value in row if isinstance(value, str))
        if share and (len(share) == limit or size + own > _MAX_BYTES):
            yield share
            share, size = [], 0
        share.append(row)
        size += own
    if share:
        yield share


def connect(settings: Settings, site: Site) -> Redshift:
    """Return an open Redshift. ConfigError if the driver is missing, WarehouseError if it does not let us in."""
    opened = Redshift(settings, site)
    opened.greet()
    return opened
