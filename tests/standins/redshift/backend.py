"""The connection to PostgreSQL behind a client: its state, SQL of the stand-in's own, answers worded as Redshift's."""

import re
import socket
import struct
from contextlib import suppress

from scramp import ScramClient

from standins.redshift.protocol import Message, RedshiftError, Wire, fields, startup, values
from standins.redshift.tables import BYTES

IDLE, OPEN, FAILED = "I", "T", "E"
SERIALIZABLE, SNAPSHOT = "serializable", "repeatable read"
SASL, CLEARTEXT = struct.pack("!i", 10), 3
SUPER_OID, VARBYTE_OID = 4000, 6551
KEPT = {b"user", b"database", b"application_name", b"client_encoding"}
SESSION = """SET default_transaction_isolation = '{isolation}'; SET standard_conforming_strings = off;
SET escape_string_warning = off; SET backslash_quote = on; SET extra_float_digits = 0; SET timezone = 'UTC';
SET datestyle = 'ISO, MDY'; SET client_min_messages = error"""


class Backend:
    """A connection to PostgreSQL; `state` is that of its transaction."""

    def __init__(self, address: tuple[str, int], isolation: str) -> None:
        self._wire, self._isolation = Wire(socket.create_connection(address)), isolation
        self.state, self.pid = IDLE, 0

    def admit(self, asked: dict[bytes, bytes], client: Wire) -> bool:
        """Let the client log in, as itself; return whether it is in."""
        # PostgreSQL refuses the parameters that only Redshift knows (client_protocol_version and others).
        self._wire.send(startup({name: value for name, value in asked.items() if name in KEPT}))
        while True:
            message = self._wire.read()
            if message.kind == b"R" and message.body[:4] == SASL:
                self._identify(asked[b"user"].decode(), client)
                continue
            if message.kind == b"S" and message.body.startswith(b"server_version\0"):
                message = Message(b"S", b"server_version\0008.0.2\0")
            if message.kind == b"K":
                self.pid = struct.unpack("!i", message.body[:4])[0]
            if message.kind == b"Z":
                break
            if message.kind == b"E":
                client.send(self._redshifts(message.body).packed())
                return False
            client.send(message.packed())
        self.ask(SESSION.format(isolation=self._isolation))
        client.send(self.at_rest())
        return True

    def _identify(self, user: str, client: Wire) -> None:
        """Ask the client for its password and log in with it by SCRAM, which Redshift does not offer to clients."""
        client.send(Message(b"R", struct.pack("!i", CLEARTEXT)).packed())
        password = client.read().body.rstrip(b"\0").decode()
        scram = ScramClient(["SCRAM-SHA-256"], user, password)
        first = scram.get_client_first().encode()
        self._wire.send(Message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first).packed())
        scram.set_server_first(self._wire.read().body[4:].decode())
        self._wire.send(Message(b"p", scram.get_client_final().encode()).packed())
        message = self._wire.read()
        if message.kind == b"E":
            raise self._redshifts(message.body)

    def send(self, *packed: bytes) -> None:
        """Send as it is."""
        self._wire.send(*packed)

    def close(self) -> None:
        """End the connection: what is not committed is rolled back."""
        self._wire.close()

    def at_rest(self) -> bytes:
        """Return a ReadyForQuery."""
        return Message(b"Z", self.state.encode()).packed()

    def ask(self, sql: str, data: bytes = b"") -> list[list[str | None]]:
        """Run SQL of the stand-in's own on the client's connection; return its rows. Raises RedshiftError."""
        self._wire.send(Message(b"Q", sql.encode() + b"\0").packed())
        rows: list[list[str | None]] = []
        failed = None
        while True:
            message = self._wire.read()
            match message.kind:
                case b"G":
                    self._wire.send(Message(b"d", data).packed(), Message(b"c", b"").packed())
                case b"D":
                    rows.append(values(message.body))
                case b"E":
                    failed = self._redshifts(message.body)
                case b"Z":
                    self.state = message.body.decode()
                    if failed:
                        raise failed
                    return rows

    def relayed(self) -> list[bytes]:
        """Return PostgreSQL's answers up to the end of a cycle, as Redshift would word them."""
        answers = []
        while True:
            message = self._wire.read()
            match message.kind:
                case b"E":
                    answers.append(self._redshifts(message.body).packed())
                case b"T":
                    answers.append(Message(b"T", _retyped(message.body)).packed())
                case _:
                    answers.append(message.packed())
            if message.kind == b"Z":
                self.state = message.body.decode()
                return answers

    def _redshifts(self, body: bytes) -> RedshiftError:
        found = fields(body)
        code, text = found["C"].replace("28P01", "28000"), found["M"]
        if code == "40001" and self._isolation != SERIALIZABLE:
            return RedshiftError("could not complete because of conflict with concurrent transaction", "XX000")
        if code == "40001":
            told = f"Serializable isolation violation on table - {self.pid}, transactions forming the cycle are: 1, 2"
            return RedshiftError("1023", "XX000", f"{told} (pid:{self.pid})")
        if code == "23514" and BYTES in text:
            detail = "error:  Value too long for character type\n  code:      8001"
            return RedshiftError("Value too long for character type", "XX000", detail)
        return RedshiftError(re.sub("type bytea", "type varbyte", text), code, found.get("D", ""))

    def fail(self) -> None:
        """Let the open transaction fail, as it would have if PostgreSQL had raised the error."""
        if self.state == OPEN:
            with suppress(RedshiftError):
                self.ask("DO $$BEGIN RAISE EXCEPTION 'refused'; END$$")


def _retyped(body: bytes) -> bytes:
    """Return a RowDescription with Redshift's types where PostgreSQL has its own: jsonb is SUPER, bytea VARBYTE."""
    changed = bytearray(body)
    position = 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        position = body.index(b"\0", position) + 1 + 6
        oid = struct.unpack("!i", body[position : position + 4])[0]
        changed[position : position + 4] = struct.pack("!i", {3802: SUPER_OID, 17: VARBYTE_OID}.get(oid, oid))
        position += 12
    return bytes(changed)
