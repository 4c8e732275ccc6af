"""Connections and transactions.

Schema changes commit what is open (docs.snowflake.com/en/sql-reference/transactions#ddl), so BEGIN is sent with the
first statement that is none, and again with the first after one.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, main_thread
from typing import Any, TypeVar

from loader.core.cost import Cost
from loader.core.dialect import quoted
from loader.core.types import ColumnType
from loader.core.warehouse import Row
from loader.errors import WarehouseError
from loader.warehouses.snowflake.dialect import DIALECT
from loader.warehouses.snowflake.faults import translated

_DDL = ("CREATE", "ALTER", "DROP", "COMMENT", "TRUNCATE")
_COUNTED = ("INSERT", "UPDATE", "DELETE")
_APPENDED_CHARACTERS = 1_000_000  # of JSON in one statement
_CASTS: Mapping[type, str] = {
    bool: "BOOLEAN",
    int: "NUMBER(38, 0)",
    float: "FLOAT",
    datetime: "TIMESTAMP_LTZ",
    str: "VARCHAR",
}
T = TypeVar("T")
_CANCEL_SECONDS = 2.0  # with a log-in
Connection = Any  # of the connector, whose types are not known where it is not installed


class Connections:
    """Open connections that nobody uses: a log-in takes a second. Threads may share this."""

    def __init__(self, make: Callable[[], Connection]) -> None:
        self._make, self._idle = make, SimpleQueue[Connection]()
        self._lent: list[Connection] = []
        self._over = False

    @contextmanager
    def statements(self) -> Iterator["Statements"]:
        """Yield a connection of the caller's own; one whose block ended in an error is not used again."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            with translated("logging in"):
                connection = interruptible(self._make)
        statements = Statements(connection)
        self._lent.append(connection)
        try:
            if self._over:
                raise WarehouseError("Snowflake: the work was given up; run again: the load continues")
            yield statements
        except BaseException as error:
            if not isinstance(error, Exception):
                self._cancel([connection])
            _let_go(connection)
            raise
        finally:
            self._lent.remove(connection)
        statements.close()
        self._idle.put(connection)

    def cancel(self) -> None:
        """Cancel what threads wait for on their connections, and lend no more."""
        self._over = True
        self._cancel(list(self._lent))

    def close(self) -> None:
        """Close those that are idle."""
        with suppress(Empty):
            while True:
                _let_go(self._idle.get_nowait())

    def _cancel(self, connections: Sequence[Connection]) -> None:
        """Cancel whatever runs on connections, from one of its own: theirs may wait for an answer."""

        def cancel() -> None:
            with suppress(Exception):  # the server may be what does not answer; it ends a lost session by itself
                own = self._make()
                for each in connections:
                    own.cursor().execute("SELECT SYSTEM$CANCEL_ALL_QUERIES(?)", [each.session_id])
                own.close()

        if connections:
            thread = Thread(target=cancel, daemon=True)
            thread.start()
            thread.join(_CANCEL_SECONDS)


class Statements:
    """A cursor, and what its statements cost."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.cursor()
        self.cost = Cost()  # with the seconds that answers took; the history has more, by the ids of statements

    def run(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows."""
        began = time.monotonic()
        with translated(_summary(sql)):
            interruptible(partial(self._cursor.execute, sql, list(values) or None))
            found = [tuple(map(_value, row)) for row in self._cursor.fetchall()]
        seconds, mark = time.monotonic() - began, self._cursor.sfqid
        self.cost = self.cost.plus(Cost(1, None, seconds, ((mark, seconds),) if mark else ()))
        return found

    def close(self) -> None:
        """Let go of the cursor."""
        self._cursor.close()


class Session:
    """A transaction on one connection."""

    dialect = DIALECT

    def __init__(self, statements: Statements, prepare: Callable[[Statements], None]) -> None:
        self._statements, self._prepare, self._open = statements, prepare, False
        self._scratch: dict[str, Mapping[str, ColumnType]] = {}

    @property
    def cost(self) -> Cost:
        """What its statements have cost so far."""
        return self._statements.cost

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows, or the count of what it changed."""
        verb = _verb(sql)
        if verb in _DDL:
            self.commit()
        elif not self._open:
            self._statements.run("BEGIN")
            self._open = True
        rows = self._statements.run(sql, values)
        return [(int(rows[0][0]),)] if verb in _COUNTED else rows

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows as one JSON text per million characters: the statement stays short, whatever their number."""
        kinds = self._scratch.get(table, {})
        name = table if table in self._scratch else quoted(DIALECT, *table.split("."))
        listed = ", ".join(quoted(DIALECT, each) for each in columns)
        values = ", ".join(
            _taken(index, [row[index] for row in rows], kinds.get(each)) for index, each in enumerate(columns)
        )
        for page in _pages(rows):
            self.execute(
                f"INSERT INTO {name} ({listed}) SELECT {values} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))) AS f",
                [page],
            )

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make a temporary table, which lives as long as the connection and is made anew by the next session."""
        self._prepare(self._statements)
        relation = quoted(DIALECT, DIALECT.staging_schema, name)
        listed = ", ".join(f"{quoted(DIALECT, each)} {DIALECT.types[kind]}" for each, kind in columns.items())
        self.execute(f"CREATE OR REPLACE TEMPORARY TABLE {relation} ({listed})")
        self._scratch[relation] = columns
        return relation

    def commit(self) -> None:
        """End the transaction, if one is open."""
        if self._open:
            self._open = False
            self._statements.run("COMMIT")

    def roll_back(self) -> None:
        """Undo what is open; a connection that broke has done so."""
        if self._open:
            with suppress(WarehouseError):
                self._statements.run("ROLLBACK")


def interruptible(work: Callable[[], T]) -> T:
    """Return what the work returns; Ctrl-C gets through, though the connector itself would hold it up until the end."""
    if current_thread() is not main_thread():
        return work()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome.result()


def _let_go(connection: Connection) -> None:
    with suppress(Exception):  # it may be broken; Snowflake ends it by itself
        connection.close()


def _verb(sql: str) -> str:
    """Return a statement's first word, behind comments.

    >>> _verb("-- What is there.\\nCREATE VIEW v AS SELECT 1")
    'CREATE'
    """
    found = re.match(r"(?:\s|--[^\n]*\n)*(\w+)", sql)
    return found[1].upper() if found else ""


def _summary(sql: str) -> str:
    """Return the beginning of a statement, for an error: names, never values."""
    return re.sub(r"'(?:[^'\\]|''|\\.)*'", "'…'", " ".join(sql.split())[:400])[:120]


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _taken(index: int, values: Sequence[Any], kind: ColumnType | None) -> str:
    """Return the expression for a value of the JSON, in the type that the column of rows has."""
    found = next((type(each) for each in values if each is not None), str)
    text = f"f.value[{index}]::{_CASTS[found]}"
    return f"PARSE_JSON({text}, 'd')" if kind is ColumnType.JSON else text


def _pages(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as JSON arrays of at most a million characters, or of one row."""
    page: list[str] = []
    size = 0
    for row in rows:
        text = json.dumps([each.isoformat(sep=" ") if isinstance(each, datetime) else each for each in row])
        if page and size + len(text) > _APPENDED_CHARACTERS:
            yield f"[{','.join(page)}]"
            page, size = [], 0
        page.append(text)
        size += len(text)
    if page:
        yield f"[{','.join(page)}]"
