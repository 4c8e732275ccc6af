"""A session: its transaction, and which of our rules a statement meets before fakesnow runs it.

BEGIN reaches the engine with the first statement after it, once that has its locks: Snowflake reads what is committed
when a statement begins, the engine what was committed when its transaction began.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock
from typing import Any

import duckdb
import snowflake.connector.errors as errors
from fakesnow.instance import FakeSnow
from fakesnow.statement_type import COPY, MERGE, statement_type_id

from standins.snowflake.service import answers, changes, copying, history, names, rules, speed
from standins.snowflake.service.answers import Json
from standins.snowflake.service.history import Run
from standins.snowflake.service.locks import Locks, target
from standins.snowflake.service.names import PATH, Name
from standins.snowflake.service.refusals import RefusedError
from standins.snowflake.service.stages import Place, Stages

_COPY = re.compile(rf"\s*copy\s+into\s+({PATH})\s+from\s+(@.*)", re.IGNORECASE | re.DOTALL)
_PUT = re.compile(r"\s*put\s+'?(file://(?:[^\s']|(?<=\\)\s)+)'?\s+(.*)", re.IGNORECASE | re.DOTALL)
_MADE = re.compile(
    rf"\s*(?:create\s+(?:or\s+replace\s+)?(?:transient\s+|temp\w*\s+)?table|drop\s+table)\s+(?:if\s+(?:not\s+)?exists\s+)?({PATH})",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    rf"(\s*create\s+(?:or\s+replace\s+)?temp\w*\s+table\s+(?:if\s+not\s+exists\s+)?)({PATH})(.*)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENTS = re.compile(r"\A(?:\s|--[^\n]*\n)+")
_TAG = re.compile(r"\bquery_tag\s*=\s*'([^']*)'", re.IGNORECASE)
READER = "READER"  # a role that may read, and nothing else
_READING = (
    "select",
    "with",
    "begin",
    "start",
    "commit",
    "rollback",
    "show",
    "describe",
    "list",
    "ls",
    "use",
    "(select",
)
_CANCEL = re.compile(r"\s*SELECT\s+SYSTEM\$CANCEL_ALL_QUERIES\(\?\)\s*$", re.IGNORECASE)
_DDL = ("create", "alter", "drop", "truncate", "comment", "grant", "undrop")
_COPIED = {
    "file": "text",
    "status": "text",
    "rows_parsed": "fixed",
    "rows_loaded": "fixed",
    "error_limit": "fixed",
    "errors_seen": "fixed",
    "first_error": "text",
}
_DONE = "Statement executed successfully."


@dataclass
class Service:
    """What all sessions share."""

    engine: FakeSnow
    stages: Stages
    locks: Locks = field(default_factory=Locks)
    loaded: dict[Name, set[tuple[Name, str, int]]] = field(default_factory=dict)  # what COPY remembers of a table
    statements: list[tuple[str, str]] = field(default_factory=list)  # query tag and SQL of all there were
    history: list[Run] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    known: dict[int, "Session"] = field(default_factory=dict)  # sessions by their numbers
    ddl: Lock = field(default_factory=Lock)


class Session:
    """One connection of a client. Its statements run one after the other."""

    def __init__(self, service: Service, database: str | None, schema: str | None, role: str = "") -> None:
        self._service, self._role = service, role
        self.cancelled, self.number = Event(), next(service.numbers)
        service.known[self.number] = self
        self._fake = service.engine.connect(database, schema)
        self._engine: duckdb.DuckDBPyConnection = self._fake._duck_conn
        self._open, self._begun, self._fresh = False, False, []  # type: ignore[var-annotated]
        self._temporary: dict[str, str] = {}  # as it is written → as the engine calls it
        self.turn, self.tag, self.silent, self._asked_at = Lock(), "", False, time.monotonic()

    def run(self, sql: str, values: list[Any], *, upload: Callable[[Place, str], str]) -> Json:
        """Run one statement; return the answer. RefusedError says why not."""
        words = [*_COMMENTS.sub("", sql).split(None, 2), "", ""]
        verb = words[0].lower().rstrip(";")
        self._asked_at = time.monotonic()
        self._service.statements.append((self.tag, sql))
        try:
            answer = self._dispatched(verb, words[1].lower(), sql, values, upload)
            self._service.history.append(Run(str(answer["data"].get("queryId")), verb, time.time()))
            return answer
        except errors.Error as error:
            raise RefusedError(error.errno or 9999, error.sqlstate or "99999", str(error.msg or error)) from None
        except duckdb.TransactionException as error:
            raise RefusedError(625, "57014", f"aborted by another transaction: {str(error).splitlines()[0]}") from None
        except duckdb.ConstraintException as error:
            raise RefusedError(
                100072, "22000", f"NULL result in a non-nullable column: {str(error).splitlines()[0]}"
            ) from None
        except RefusedError:
            raise
        except Exception as error:  # a bug of ours, fakesnow's or sqlglot's: an answer, or the client asks for minutes
            raise RefusedError(1003, "42000", f"{type(error).__name__}: {str(error)[:300]}") from None
        finally:
            self._asked_at = time.monotonic()
            if not self._open:
                self._service.locks.release(self)

    def abort_idle(self, seconds: float) -> bool:
        """Roll back the transaction if nothing was asked for so long; return whether it was."""
        if time.monotonic() - self._asked_at < seconds or not self.turn.acquire(blocking=False):
            return False
        try:
            self._end("ROLLBACK")
            return True
        finally:
            self.turn.release()

    def close(self) -> None:
        """Roll back what is open, and let go of all locks."""
        if self._open:
            self._end("ROLLBACK")
        self._fake.close()

    def _dispatched(
        self, verb: str, what: str, sql: str, values: list[Any], upload: Callable[[Place, str], str]
    ) -> Json:
        if self._role == READER and verb.lstrip("(") not in _READING:
            raise RefusedError(3001, "42501", f"SQL access control error: Insufficient privileges to {verb}")
        match verb:
            case "begin" | "start":
                self._open = True
                return answers.status(_DONE)
            case "commit" | "rollback":
                self._end(verb.upper())
                return answers.status(_DONE)
            case "put":
                return self._put(sql, upload)
            case "list" | "ls" | "remove" | "rm":
                return self._files(verb, sql)
            case "copy":
                return self._copy(sql)
            case "use" | "alter" if what in ("session", "warehouse", "role"):
                self.tag = found[1] if (found := _TAG.search(sql)) else self.tag
                return answers.status(_DONE)
            case _ if verb in _DDL:
                return self._ddl(verb, what, sql)
            case _:
                return self._queried(verb, sql, values)

    def _ddl(self, verb: str, what: str, sql: str) -> Json:
        """Run a change of the schema: the open transaction is committed first, and it is one of its own."""
        self._end("COMMIT")
        where = (self._fake.database, self._fake.schema)
        if what == "warehouse" or verb == "grant":
            return answers.status(_DONE)
        if verb == "comment":
            self._engine.execute(sql)
            return answers.status(_DONE)
        if "stage" in sql.lower().split("(")[0].split()[:6]:
            make = self._service.stages.create if verb == "create" else self._service.stages.drop
            return answers.status(make(sql, *where))
        if written := target(sql):
            self._service.locks.take(names.full(written, *where), self)
        with self._service.ddl:
            if swap := changes.SWAP.match(sql):
                changes.swap(self._engine, names.full(swap[1], *where), names.full(swap[2], *where))
                return answers.status(_DONE)
            changes.check_alter(self._engine, sql, *where)
            answer = self._run(sql, [])
        if made := _MADE.match(sql):
            table = names.full(made[1], *where)
            if "if not exists" not in sql.lower().split("(")[0]:
                self._service.loaded.pop(table, None)
            if verb == "drop":
                self._service.stages.forget((*table[:2], f"%{table[2]}"))
        return answer

    def _queried(self, verb: str, sql: str, values: list[Any]) -> Json:
        if _CANCEL.match(sql):
            self._service.known[int(values[0])].cancelled.set()
            return answers.status("0 executing queries cancelled")
        rules.check(sql)
        if found := history.CALL.search(sql):
            return history.answer(sql, found, self._service.history)
        if written := target(sql):
            self._service.locks.take(names.full(written, self._fake.database, self._fake.schema), self)
        self._begin()
        if verb == "merge":
            counts = changes.merge(self._engine, sql, values)
            return answers.rows(dict.fromkeys(counts, "fixed"), [tuple(counts.values())], kind=MERGE)
        return self._run(sql, values)

    def _run(self, sql: str, values: list[Any]) -> Json:
        """Let fakesnow run a statement. A temporary table has no schema there, so its name loses it."""
        if found := _TEMPORARY.match(sql):
            name = names.full(found[2], self._fake.database, self._fake.schema)
            self._temporary[found[2]] = names.sql(("", "", name[2])).removeprefix('"".""' + ".")
            sql = f"{found[1]}{self._temporary[found[2]]}{found[3]}"
        for written, own in self._temporary.items():
            sql = sql.replace(written, own)
        cursor = self._fake.cursor()
        speed.run(cursor, sql, values)
        return answers.of(cursor, self._engine, statement_type_id(cursor._last_transformed))

    def _copy(self, sql: str) -> Json:
        found = _COPY.match(sql)
        if not found:
            raise RefusedError(1003, "42000", "SQL compilation error: syntax error in COPY INTO.")
        where = (self._fake.database, self._fake.schema)
        table = names.full(found[1], *where)
        place, rest = self._service.stages.place(found[2], *where)
        order = copying.order(rest)
        memory = self._service.loaded.setdefault(table, set())
        files = self._service.stages.fetched(place, order.files)
        known = {key: (place.stage, key, path.stat().st_mtime_ns) for key, path in files.items()}
        new = {key: path for key, path in files.items() if order.force or known[key] not in memory}
        self._begin()
        counts = copying.copied(self._engine, table, new, order)
        fresh = {known[key] for key in new}
        memory |= fresh
        self._fresh.append((memory, fresh))
        if order.purge:
            for path in new.values():
                path.unlink()
        if not counts:
            return answers.status("Copy executed with 0 files processed.")
        return answers.rows(_COPIED, [(key, "LOADED", n, n, 1, 0, None) for key, n in counts.items()], kind=COPY)

    def _put(self, sql: str, upload: Callable[[Place, str], str]) -> Json:
        found = _PUT.match(sql)
        if not found:
            raise RefusedError(1003, "42000", "SQL compilation error: syntax error in PUT.")
        place, rest = self._service.stages.place(found[2], self._fake.database, self._fake.schema)
        source = found[1].removeprefix("file://")
        options = {name.upper(): value.upper() for name, value in re.findall(r"(\w+)\s*=\s*(\w+)", rest)}
        compress = options.get("AUTO_COMPRESS", "TRUE") == "TRUE"
        name = source.rpartition("/")[2] + (".gz" if compress and not source.endswith(".gz") else "")
        target = Place(place.stage, f"{place.path.rstrip('/')}/{name}".lstrip("/"))
        return answers.upload(upload(target, name), source, compress=compress)

    def _files(self, verb: str, sql: str) -> Json:
        place, _ = self._service.stages.place(sql.split(None, 1)[1], self._fake.database, self._fake.schema)
        files = self._service.stages.files(place)
        if verb in ("list", "ls"):
            listed = [(f"{place.stage[2].lower()}/{key}", path.stat().st_size) for key, path in files.items()]
            return answers.rows(
                {"name": "text", "size": "fixed", "md5": "text", "last_modified": "text"},
                [(*each, "", "") for each in listed],
            )
        for path in files.values():
            path.unlink()
        return answers.rows({"name": "text", "result": "text"}, [(key, "removed") for key in files])

    def _begin(self) -> None:
        if self._open and not self._begun:
            self._engine.execute("BEGIN")
            self._begun = True

    def _end(self, word: str) -> None:
        try:
            if self._begun:
                self._engine.execute(word)
        finally:
            if word == "ROLLBACK":
                for memory, fresh in self._fresh:
                    memory -= fresh
            self._open, self._begun, self._fresh = False, False, []
            self._service.locks.release(self)


def bound(bindings: Mapping[str, Mapping[str, Any]] | None, convert: Callable[[Any], Any]) -> list[Any]:
    """Return the values of a request's `?`, in order."""
    found = bindings or {}
    return [_value(found[key], convert) for key in sorted(found, key=int)]


def _value(binding: Mapping[str, Any], convert: Callable[[Any], Any]) -> Any:
    if binding["value"] is None:
        return None
    return float(binding["value"]) if binding["type"] == "REAL" else convert(binding)
