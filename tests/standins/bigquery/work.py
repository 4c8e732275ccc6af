"""What runs statements: a session or a script, with its temporary tables and its transaction.

Source: cloud.google.com/bigquery/docs/transactions and /sessions-intro, read 2026-11. Reads see a snapshot. If a
transaction changes or deletes rows of a table, no other may do so until it ends: a conflicting transaction is
cancelled, a conflicting statement outside a transaction waits. Rows are appended without conflict. A session whose
client has died keeps its transaction open until it is aborted.
"""

import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import duckdb

from standins.bigquery.answers import refused
from standins.bigquery.catalog import PROJECT, Catalog, Name
from standins.bigquery.dialect import invalid, prepare

QUEUE_SECONDS = 5.0  # a statement outside a transaction waits at most so long for one that is open


@dataclass
class Work:
    """A connection of DuckDB's, and what it holds."""

    cursor: duckdb.DuckDBPyConnection
    session_id: str | None = None
    temporary: set[str] = field(default_factory=set)
    began: int | None = None  # the number of commits when its transaction began
    mutated: set[Name] = field(default_factory=set)
    broken: bool = False  # a statement of the transaction failed: it was rolled back


class Engine:
    """The rows, and all that works on them. One statement at a time runs."""

    def __init__(self, location: str, threads: int = 2) -> None:
        self.root = duckdb.connect(config={"threads": threads})
        self.root.execute("SET TimeZone = 'UTC'")
        prepare(self.root)
        self.catalog = Catalog(self.root, location)
        self.turn = threading.Condition(threading.RLock())
        self.sessions: dict[str, Work] = {}
        self.holders: dict[Name, Work] = {}  # tables that an open transaction has changed
        self.changed: dict[Name, int] = {}  # the commit that last changed a table's rows
        self.commits = 0

    def work(self, *, session: bool = False) -> Work:
        """Return new work; of a session, it lasts until it is aborted."""
        cursor = self.root.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        if not session:
            return Work(cursor)
        made = Work(cursor, session_id=uuid.uuid4().hex)
        self.sessions[str(made.session_id)] = made
        return made

    def session(self, session_id: str) -> Work:
        """Return a session."""
        if session_id not in self.sessions:
            raise refused(f"Resource not found: session {session_id} does not exist or has ended", reason="notFound")
        return self.sessions[session_id]

    def abort(self, session_id: str) -> None:
        """End a session; what its transaction did is undone."""
        self.close(self.session(session_id))
        del self.sessions[session_id]

    def close(self, work: Work) -> None:
        """End work; an open transaction is rolled back."""
        if work.began is not None:
            self.rollback(work)
        work.cursor.close()

    def begin(self, work: Work) -> None:
        """Begin a transaction."""
        if work.began is not None:
            raise invalid("Transactions cannot be nested")
        work.cursor.execute("BEGIN")
        work.cursor.execute("SELECT count(*) FROM duckdb_tables()").fetchall()  # takes the snapshot now
        work.began, work.broken = self.commits, False

    def commit(self, work: Work) -> None:
        """Make a transaction's changes known to all."""
        if work.began is None:
            raise invalid("Transaction control statements are supported only in a transaction: there is none")
        try:
            work.cursor.execute("COMMIT")
        except duckdb.Error as error:
            self.rollback(work)
            raise invalid(f"Transaction is aborted due to concurrent update: {error}") from error
        self._released(work, committed=True)

    def rollback(self, work: Work) -> None:
        """Undo a transaction."""
        if work.began is not None:
            with suppress(duckdb.Error):  # DuckDB has done so already
                work.cursor.execute("ROLLBACK")
            self._released(work, committed=False)

    def mutate(self, work: Work, name: Name) -> None:
        """Note that a statement changes or deletes rows of a table; wait or give up where a transaction does so."""
        deadline = time.monotonic() + QUEUE_SECONDS
        while (holder := self.holders.get(name)) is not None and holder is not work:
            if work.began is not None or time.monotonic() > deadline:
                self.rollback(work)
                raise _conflict(name, "Transaction is aborted" if work.broken else "Could not serialize access")
            self.turn.wait(0.05)
        if work.began is None:
            self.commits += 1
            self.changed[name] = self.commits
            return
        if self.changed.get(name, 0) > work.began:
            self.rollback(work)
            raise _conflict(name, "Transaction is aborted")
        self.holders[name] = work
        work.mutated.add(name)

    def _released(self, work: Work, *, committed: bool) -> None:
        self.commits += 1
        for name in work.mutated:
            del self.holders[name]
            if committed:
                self.changed[name] = self.commits
        work.mutated.clear()
        work.began, work.broken = None, not committed
        self.turn.notify_all()


def _conflict(name: Name, what: str) -> Exception:
    where = f"{PROJECT}:{name[0]}.{name[1]}"
    if what.startswith("Could"):
        return invalid(f"{what} to table {where} due to concurrent update")
    return invalid(f"{what} due to concurrent update against table {where}. Transaction ID: {uuid.uuid4()}")
