"""The PostgreSQL wire protocol, version 3, as far as a proxy needs it: messages in and out, errors, startup."""

import socket
import struct
from contextlib import suppress
from typing import NamedTuple

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST, VERSION = 80877103, 80877104, 80877102, 196608


class Message(NamedTuple):
    """One message: its letter, and its content without the length."""

    kind: bytes
    body: bytes

    def packed(self) -> bytes:
        """Return it as it goes over the wire."""
        return self.kind + struct.pack("!i", len(self.body) + 4) + self.body


class RedshiftError(Exception):
    """What the stand-in answers instead of running a statement: SQLSTATE, message, detail."""

    def __init__(self, message: str, code: str = "XX000", detail: str = "") -> None:
        super().__init__(message)
        self.code, self.detail = code, detail

    def packed(self) -> bytes:
        """Return it as an ErrorResponse."""
        return error(str(self), self.code, self.detail)


def error(text: str, code: str, detail: str = "") -> bytes:
    """Return an ErrorResponse."""
    fields = [b"SERROR", b"C" + code.encode(), b"M" + text.encode()]
    return Message(b"E", b"\0".join(fields + ([b"D" + detail.encode()] if detail else [])) + b"\0\0").packed()


def notice(text: str) -> bytes:
    """Return a NoticeResponse of severity INFO."""
    return Message(b"N", b"SINFO\0C00000\0M" + text.encode() + b"\0\0").packed()


def fields(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse by their letters."""
    return {each[:1].decode(): each[1:].decode("utf-8", "replace") for each in body.split(b"\0") if each}


def values(body: bytes) -> list[str | None]:
    """Return the values of a DataRow in text format."""
    count, position, found = struct.unpack("!h", body[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack("!i", body[position : position + 4])[0]
        position += 4
        found.append(None if size < 0 else body[position : position + size].decode())
        position += max(size, 0)
    return found


class Wire:
    """A socket that speaks in messages. EOFError when the other side has gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()

    def read(self) -> Message:
        """Return the next message."""
        kind = self._exactly(1)
        return Message(kind, self._exactly(struct.unpack("!i", self._exactly(4))[0] - 4))

    def read_startup(self) -> tuple[int, bytes]:
        """Return the code of a startup packet and the rest of it."""
        body = self._exactly(struct.unpack("!i", self._exactly(4))[0] - 4)
        return struct.unpack("!i", body[:4])[0], body[4:]

    def send(self, *packed: bytes) -> None:
        """Send bytes at once."""
        self.sock.sendall(b"".join(packed))

    def close(self) -> None:
        """Close the socket at once, whoever is reading from it."""
        with suppress(OSError):  # the other side was faster
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            got = self.sock.recv(max(65536, size - len(self._buffer)))
            if not got:
                raise EOFError
            self._buffer += got
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found


def startup(parameters: dict[bytes, bytes]) -> bytes:
    """Return a startup packet."""
    pairs = b"".join(name + b"\0" + value + b"\0" for name, value in parameters.items())
    return struct.pack("!ii", len(pairs) + 9, VERSION) + pairs + b"\0"


def startup_parameters(body: bytes) -> dict[bytes, bytes]:
    """Return the parameters of a startup packet's content."""
    words = body.rstrip(b"\0").split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=True))
