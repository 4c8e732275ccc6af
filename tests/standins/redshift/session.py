"""One client's connection: what it sends is translated, refused or done here, and the answers of PostgreSQL go back.

A client's messages are held until it waits for an answer (Query or Sync; Flush alone is not waited on), so that
while the stand-in talks to PostgreSQL itself, nothing else is under way on that connection.
"""

import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from standins.redshift import copying
from standins.redshift.backend import FAILED, IDLE, OPEN, Backend
from standins.redshift.copying import Column, LoadError
from standins.redshift.faults import Cut, Fault, Faults
from standins.redshift.protocol import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    SSL_REQUEST,
    Message,
    RedshiftError,
    Wire,
    notice,
    startup_parameters,
)
from standins.redshift.statements import Statement, translated

COLUMNS = """SELECT column_name, data_type, is_nullable, character_maximum_length FROM public.rs_columns
WHERE table_name = '{table}' AND {schema} ORDER BY ordinal_position"""


@dataclass
class Log:
    """What happened to whom, for tests to read."""

    statements: list[str] = field(default_factory=list)
    connections: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Done:
    """A statement that ran, for the views about it."""

    pid: int
    said: str
    tag: str
    status: str = "success"


@dataclass
class Cluster:
    """What the sessions share."""

    backend: tuple[str, int]
    isolation: str
    tls: ssl.SSLContext | None
    get: copying.Get
    listing: copying.Listing
    note_error: Callable[[int, LoadError], None]  # on a connection of its own: it survives a rollback
    note_names: Callable[[dict[str, str]], None]
    note_history: Callable[[list[Done]], None]
    faults: Faults
    log: Log
    done: list[Done] = field(default_factory=list)  # what the views do not have yet


class Session:
    """A client's connection and the one to PostgreSQL behind it."""

    def __init__(self, sock: socket.socket, cluster: Cluster) -> None:
        self._client, self._cluster = Wire(sock), cluster
        self._backend = Backend(cluster.backend, cluster.isolation)
        self._prepared: dict[bytes, Statement | RedshiftError] = {}
        self._portals: dict[bytes, bytes] = {}
        self._now = Done(0, "", "")
        self._unnamed = b""  # the last Parse of the statement without a name: what the stand-in asks itself ends that

    def run(self) -> None:
        """Serve the client until it or a fault ends the connection."""
        try:
            if self._begun():
                while True:
                    self._answered(self._heard())
        except (EOFError, ConnectionError, OSError, Cut):
            pass
        finally:
            self._client.close()
            self._backend.close()

    # Startup

    def _begun(self) -> bool:
        """Do TLS and log-in; return False for a request to cancel, which has no session."""
        while True:
            code, body = self._client.read_startup()
            if code == SSL_REQUEST and self._cluster.tls:
                self._client.send(b"S")
                self._client = Wire(self._cluster.tls.wrap_socket(self._client.sock, server_side=True))
            elif code in (SSL_REQUEST, GSS_REQUEST):
                self._client.send(b"N")
            elif code == CANCEL_REQUEST:
                self._backend.send(struct.pack("!ii", len(body) + 8, code), body)
                return False
            else:
                break
        asked = startup_parameters(body)
        told = {name.decode(): value.decode() for name, value in asked.items()}
        self._cluster.log.connections.append({**told, "tls": str(isinstance(self._client.sock, ssl.SSLSocket))})
        try:
            return self._backend.admit(asked, self._client)
        except RedshiftError as error:
            self._client.send(error.packed())
            return False

    # Statements

    def _heard(self) -> list[Message]:
        """Return the client's messages up to one that waits for an answer."""
        heard = []
        while True:
            message = self._client.read()
            if message.kind == b"X":
                self._backend.send(message.packed())
                raise EOFError
            if message.kind != b"H":
                heard.append(message)
            if message.kind in (b"Q", b"S"):
                return heard

    def _answered(self, heard: list[Message]) -> None:
        try:
            fault = None
            if heard[-1].kind == b"Q":
                statement = translated(heard[-1].body[:-1].decode())
                fault = self._ready(statement)
                if statement.is_copy:
                    self._client.send(*self._copied(statement), self._backend.at_rest())
                    return
                heard = [Message(b"Q", statement.sql.encode() + b"\0")]
            else:
                heard, own = self._extended(heard)
                statements = [self._statement(each) for each in heard + own if each.kind == b"E"]
                for statement in statements:
                    fault = self._ready(statement)
                if own:
                    copied = [self._copied(each) for each in statements]
                    answers = self._own_answers(own)
                    self._client.send(*answers, *(part for each in copied for part in each), self._backend.at_rest())
                    return
            answers = self._relayed(heard)
            if fault and fault.after:
                raise Cut
            self._client.send(*answers)
        except RedshiftError as error:
            self._now.status = "failed"
            self._backend.fail()
            self._client.send(error.packed(), self._backend.at_rest())

    def _relayed(self, heard: list[Message]) -> list[bytes]:
        """Return PostgreSQL's answers. A statement without a name that it has forgotten since is sent once more."""
        again = self._unnamed if heard[0].kind == b"B" and not heard[0].body.split(b"\0", 2)[1] else b""
        self._backend.send(again, *(each.packed() for each in heard))
        answers = self._backend.relayed()
        if any(each[:1] == b"E" for each in answers):
            self._now.status = "failed"
        return answers[1:] if again and answers[0][:1] == b"1" else answers

    def _extended(self, heard: list[Message]) -> tuple[list[Message], list[Message]]:
        """Return messages for PostgreSQL, and those about a COPY, which are ours to answer."""
        forwarded: list[Message] = []
        own: list[Message] = []
        for message in heard:
            match message.kind:
                case b"P":
                    name, sql, rest = message.body.split(b"\0", 2)
                    statement = translated(sql.decode())
                    self._prepared[name] = statement
                    message = Message(b"P", name + b"\0" + statement.sql.encode() + b"\0" + rest)
                    self._unnamed = self._unnamed if name else message.packed()
                case b"B":
                    portal, name, _ = message.body.split(b"\0", 2)
                    self._portals[portal] = name
            (own if self._is_ours(message) else forwarded).append(message)
        if own and [each.kind for each in forwarded] != [b"S"]:
            raise RedshiftError("stand-in: COPY cannot be pipelined", "0A000")
        return forwarded, own

    def _is_ours(self, message: Message) -> bool:
        match message.kind:
            case b"P":
                name = message.body.split(b"\0", 1)[0]
            case b"B":
                name = message.body.split(b"\0", 2)[1]
            case b"D" | b"C" if message.body[:1] == b"S":
                name = message.body[1:-1]
            case b"D":
                name = self._portals.get(message.body[1:-1], b"")
            case b"E":
                name = self._portals.get(message.body.split(b"\0", 1)[0], b"")
            case _:
                return False
        found = self._prepared.get(name)
        return isinstance(found, Statement) and found.is_copy

    def _own_answers(self, own: list[Message]) -> list[bytes]:
        kinds = {b"P": [Message(b"1", b"")], b"B": [Message(b"2", b"")], b"C": [Message(b"3", b"")]}
        answers = []
        for message in own:
            described = [Message(b"t", b"\0\0"), Message(b"n", b"")]
            told = described[message.body[:1] != b"S" :] if message.kind == b"D" else kinds.get(message.kind, [])
            answers += [each.packed() for each in told]
        return answers

    def _statement(self, execute: Message) -> Statement:
        found = self._prepared[self._portals[execute.body.split(b"\0", 1)[0]]]
        assert isinstance(found, Statement)
        return found

    def _ready(self, statement: Statement) -> Fault | None:
        """Do what must be done before a statement runs: faults, rules about transactions, locks."""
        if statement.long_names:
            self._cluster.note_names(statement.long_names)
        text = " ".join(each.text for each in statement.found)
        if "sys_query_history" in text:
            done, self._cluster.done[:] = self._cluster.done[:], []
            self._cluster.note_history(done)
        self._now = Done(self._backend.pid, statement.said, statement.tag)
        self._cluster.done.append(self._now)
        self._cluster.log.statements.append(text)
        fault = self._cluster.faults.due(text)
        if fault and not fault.after:
            if fault.error:
                raise RedshiftError(fault.error, fault.code, fault.detail)
            raise Cut
        if self._backend.state == FAILED:
            if statement.is_copy:
                raise RedshiftError(
                    "current transaction is aborted, commands ignored until end of transaction block", "25P02"
                )
            return fault
        if statement.outside and self._backend.state != IDLE:
            first = text.split(" ", 1)[0].upper()
            raise RedshiftError(f"{first} cannot run inside a transaction block", "25001")
        if statement.writes and self._backend.state == OPEN:
            self._lock(statement.writes)
        if statement.commits and self._backend.state == OPEN:
            self._backend.ask(f"{statement.sql}; COMMIT; BEGIN")
        return fault

    def _lock(self, table: str) -> None:
        """Let writers of one table wait for one another, as they do there (c_write_readwrite.html)."""
        there = self._backend.ask(f"SELECT relkind, relpersistence FROM pg_class WHERE oid = to_regclass('{table}')")
        if there == [["r", "p"]]:
            self._backend.ask(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    # COPY

    def _copied(self, statement: Statement) -> list[bytes]:
        copy = copying.read(statement.found)
        schema = f"table_schema = '{copy.table[0]}'" if len(copy.table) > 1 else "pg_table_is_visible(oid)"
        found = self._backend.ask(COLUMNS.format(table=copy.table[-1], schema=schema))
        if not found:
            raise RedshiftError(f"Cannot COPY into nonexistent table {copy.table[-1]}", "42P01")
        table = [Column(str(name), str(kind), null == "YES", int(n) if n else None) for name, kind, null, n in found]
        columns = copying.chosen(copy, table)
        listed = ", ".join(f'"{each.name}"' for each in columns)
        target, rows = ".".join(f'"{part}"' for part in copy.table), 0
        try:
            for url, content in copying.files(copy, self._cluster.get, self._cluster.listing):
                data = copying.checked(copy, columns, url, content)
                lines = copying.as_csv(columns, data)
                self._backend.ask(f"COPY {target} ({listed}) FROM STDIN WITH (FORMAT csv)", data=lines)
                rows += data.num_rows
        except LoadError as error:
            self._cluster.note_error(self._backend.pid, error)
            raise
        self._backend.ask(f"SELECT set_config('rs.last_copy_count', '{rows}', false)")
        told = f"Load into table '{copy.table[-1]}' completed, {rows} record(s) loaded successfully."
        return [notice(told), Message(b"C", b"COPY\0").packed()]
