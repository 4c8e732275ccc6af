"""A transaction over several queries, which BigQuery calls a session. DDL commits what was written before it.

Source: cloud.google.com/bigquery/docs/transactions and /sessions-intro, read 2026-11. It begins with the first
statement that writes: what only reads needs none. No DDL is allowed in it, but on temporary tables. A transaction that
changes rows of a table which another one changes too is cancelled: that is a WarehouseBusyError.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from loader.core.cost import Cost
from loader.core.dialect import quoted
from loader.core.types import ColumnType
from loader.core.warehouse import Row
from loader.errors import WarehouseError
from loader.warehouses.bigquery.dialect import DIALECT
from loader.warehouses.bigquery.jobs import Answer, Jobs, bound, structs

_MAX_ROWS = 5_000  # of one parameter
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")
_CHANGES = ("CREATE", "ALTER", "DROP")


@dataclass(frozen=True, slots=True)
class Turns:
    """What a transaction waits for."""

    ready: Callable[[], None]  # before each statement: the load jobs of what it may read
    write: Callable[[], None]  # before it begins to write: the other transactions of this process
    alter: Callable[[str], None]  # before a table is altered: the limit on that


class Transaction:
    """A session of ours on one of BigQuery's, from the first statement that needs it."""

    dialect = DIALECT

    def __init__(self, jobs: Jobs, idle: list[str], turns: Turns) -> None:
        self._jobs, self._idle, self._turns = jobs, idle, turns
        self._session_id: str | None = None
        self._begun = False
        self._cost = Cost()

    @property
    def cost(self) -> Cost:
        """What its statements have cost so far."""
        return self._cost

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement; return its rows."""
        self._turns.ready()
        text, parameters = bound(sql, values)
        word = text.split(None, 1)[0].upper()
        if word in _CHANGES:
            self._committed()  # DDL knows nothing of a transaction: it would drop a column whose copy is not there yet
            if word == "ALTER":
                self._turns.alter(text.split(None, 3)[2])
            return self._ran(self._jobs.query(text, parameters))
        if word in _WRITES:
            self._begin()
        return self._ran(self._jobs.query(text, parameters, session_id=self._session_id))

    def append(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows, some thousands in one statement: they travel as one array of structs."""
        where = table if "`" in table else quoted(DIALECT, *table.split("."))
        left = iter(rows)
        while some := list(islice(left, _MAX_ROWS)):
            given = [column for place, column in enumerate(columns) if any(row[place] is not None for row in some)]
            listed = ", ".join(quoted(DIALECT, column) for column in given)
            chosen = ", ".join(f"r.{quoted(DIALECT, column)}" for column in given)
            self._begin()
            sql = f"INSERT INTO {where} ({listed}) SELECT {chosen} FROM UNNEST(?) AS r"
            self._ran(self._jobs.query(sql, [structs(columns, some)], session_id=self._session_id))

    def scratch(self, name: str, columns: Mapping[str, ColumnType]) -> str:
        """Make an empty temporary table, in place of one that an earlier transaction of this session left."""
        listed = ", ".join(f"{quoted(DIALECT, each)} {DIALECT.types[of]}" for each, of in columns.items())
        self._ran(self._in_session(f"CREATE OR REPLACE TEMP TABLE {quoted(DIALECT, name)} ({listed})"))
        return quoted(DIALECT, name)

    def commit(self) -> None:
        """Make it known to all, and leave the session to the next transaction."""
        self._committed()
        self._leave()

    def rollback(self) -> None:
        """Undo it. Where that fails the session ends, and takes the transaction with it."""
        session_id, begun = self._session_id, self._begun
        try:
            if begun:
                self._in_session("ROLLBACK TRANSACTION")
        except (WarehouseError, KeyboardInterrupt):
            self._session_id = None
            end(self._jobs, session_id)
        self._leave()

    def _committed(self) -> None:
        if self._begun:
            self._ran(self._in_session("COMMIT TRANSACTION"))
            self._begun = False

    def _begin(self) -> None:
        if not self._begun:
            self._turns.write()
            self._in_session("BEGIN TRANSACTION")
            self._begun = True

    def _in_session(self, sql: str) -> Answer:
        """Run a statement in the session; the first one makes it, unless one is idle."""
        if self._session_id is None:
            self._session_id = self._idle.pop() if self._idle else None
        answer = self._jobs.query(sql, session_id=self._session_id, begin=True)
        self._session_id = self._session_id or answer.session_id
        return answer

    def _ran(self, answer: Answer) -> list[Row]:
        self._cost = self._cost.plus(answer.cost)
        return answer.rows

    def _leave(self) -> None:
        if self._session_id is not None:
            self._idle.append(self._session_id)
        self._session_id, self._begun = None, False


def end(jobs: Jobs, session_id: str | None) -> bool:
    """End a session of BigQuery's, with its transaction; return False where that was not possible."""
    if session_id is None:
        return True
    try:
        jobs.query(f"CALL BQ.ABORT_SESSION({json.dumps(session_id)})")
    except (WarehouseError, KeyboardInterrupt):
        return False
    return True
