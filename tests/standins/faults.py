"""A proxy that spoils some answers of the server behind it: throttling, cut connections, cut bodies, lost answers.

It speaks HTTP on 127.0.0.1, passes all else on unchanged, and keeps the `Host` of the client, so that links in answers
lead through it too. What it does not prove: how often and in what bursts a real service does these things.
"""

import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Literal

Kind = Literal["status", "reset", "cut", "short", "lost", "garbled", "held"]
_PATIENCE_SECONDS = 60
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
# docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
_REFUSAL = "<?xml version='1.0'?><Error><Code>{}</Code><Message>Said by the proxy.</Message></Error>"
# docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html: the hash of the body is part of the signature.
_SIGNED = "x-amz-content-sha256"


@dataclass(slots=True)
class _Fault:
    asked: re.Pattern[str]
    kind: Kind
    times: int
    status: int
    code: str


@dataclass(slots=True)
class Faults:
    """The proxy: its address, and what it is to spoil. Requests are matched as `METHOD /path?query`."""

    endpoint: str
    behind: str  # the endpoint of the server, which may move
    delay_seconds: float = 0.0  # before each answer
    release: Event = field(default_factory=Event)  # lets go what is held
    spoiled: Counter[str] = field(default_factory=Counter)
    requests: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _waiting: list[_Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def spoil(self, asked: str, kind: Kind, *, times: int = 1, status: int = 503, code: str = "SlowDown") -> None:
        """Spoil the next `times` requests that match.

        `status`: refused with that and the code, not passed on; `reset`: the same with a reset connection. `cut`: half
        the body comes, and then a reset; `short`: half the body comes, and then an orderly end. `lost`: the request is
        carried out, and its answer is a reset. `garbled`: a byte of what is sent changes on the way, which is refused
        where the body's hash was signed. `held`: it waits for `release`.
        """
        self._waiting.append(_Fault(re.compile(asked), kind, times, status, code))

    def begin(self, asked: str) -> _Fault | None:
        """Take note of a request; return what is to be spoiled."""
        with self._lock:
            self.requests.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            for fault in self._waiting:
                if fault.times and fault.asked.search(asked):
                    fault.times -= 1
                    self.spoiled[fault.kind] += 1
                    return fault
            return None

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1


@contextmanager
def before(endpoint: str) -> Iterator[Faults]:
    """Yield a proxy before the server at `endpoint`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.daemon_threads = True
    faults = Faults(f"http://127.0.0.1:{server.server_port}", endpoint)
    server.RequestHandlerClass = _handler(faults)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()


def _handler(faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # header and body in one packet, or each request takes 45 ms
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            fault = faults.begin(f"{self.command} {self.path}")
            try:
                answer = _answered(self, faults, fault)
            finally:
                faults.end()
            answer()  # after it was counted: who has it may ask again before this thread goes on

    return Handler


def _answered(handler: BaseHTTPRequestHandler, faults: Faults, fault: _Fault | None) -> Callable[[], None]:
    """Carry out a request; return what is still to be done: the answer."""
    body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
    time.sleep(faults.delay_seconds)
    kind = fault.kind if fault else None
    if kind == "held":
        faults.release.wait(_PATIENCE_SECONDS)
    if kind == "garbled":
        body = bytes([body[0] ^ 1]) + body[1:]
        if handler.headers.get(_SIGNED, "") not in ("", sha256(body).hexdigest()):
            return _refusal(handler, 400, "XAmzContentSHA256Mismatch")
    if kind == "status" and fault is not None:
        return _refusal(handler, fault.status, fault.code)
    if kind == "reset":
        return partial(_reset, handler)
    connection = HTTPConnection(faults.behind.removeprefix("http://"), timeout=_PATIENCE_SECONDS)
    try:
        connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
        found = connection.getresponse()
        content = found.read()
    except (OSError, HTTPException):  # the server behind has gone
        return partial(_reset, handler)
    finally:
        connection.close()
    if kind == "lost":
        return partial(_reset, handler)
    length = _length(handler, found, content)
    return partial(_send, handler, found.status, _kept(found), content, length=length, part=kind)


def _refusal(handler: BaseHTTPRequestHandler, status: int, code: str) -> Callable[[], None]:
    return partial(_send, handler, status, {"Content-Type": "application/xml"}, _REFUSAL.format(code).encode())


def _kept(found: HTTPResponse) -> dict[str, str]:
    return {name: value for name, value in found.getheaders() if name.lower() not in _HOP}


def _length(handler: BaseHTTPRequestHandler, found: HTTPResponse, content: bytes) -> int | None:
    """Return the length to tell: of a HEAD that of the object, of an answer without one none."""
    if handler.command == "HEAD":
        return int(found.getheader("content-length") or 0)
    return None if found.status in (204, 304) else len(content)


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    body: bytes,
    *,
    length: int | None = -1,
    part: str | None = None,
) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if length is not None:
        handler.send_header("Content-Length", str(len(body) if length == -1 else length))
    handler.end_headers()
    spoiled = part in ("cut", "short")
    handler.wfile.write(body[: len(body) // 2] if spoiled else body)
    handler.wfile.flush()
    if part == "cut":
        _reset(handler)
    elif part == "short":
        handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection with a reset instead of an orderly end."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
