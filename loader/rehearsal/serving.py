"""A fake behind real HTTP on loopback, with faults where they are asked for."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec

from loader.rehearsal.fake import Call, Fake, Reply


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request, the `at`-th from 1."""

    at: int
    reply: Reply | None = None  # instead of the fake's own, which then never sees the call
    delay_seconds: float = 0.0
    drop_before: bool = False  # the connection breaks, and nothing was done
    drop_after: bool = False  # the connection breaks, and it was done
    lie: bool = False  # the answer is as ever, and nothing was done
    before: Callable[[], object] | None = None  # called before the effect
    after: Callable[[], object] | None = None  # called after the effect, before the answer


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that was answered, or dropped (status 0)."""

    method: str
    path: str
    status: int
    bytes: int
    at: float  # monotonic


@dataclass(slots=True)
class Server:
    """A running fake. `faults` may be changed while it runs."""

    fake: Fake
    url: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    arrived: int = 0
    working: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self) -> Fault | None:
        """Count one more request; return what is to go wrong with it."""
        with self.lock:
            self.arrived += 1
            self.working += 1
            self.most_at_once = max(self.most_at_once, self.working)
            return next((each for each in self.faults if each.at == self.arrived), None)


@contextmanager
def served(fake: Fake) -> Iterator[Server]:
    """Yield the fake behind an address of its own until the block ends."""
    listening = _Listening(("127.0.0.1", 0), _Handler)
    listening.server = Server(fake, f"http://127.0.0.1:{listening.server_address[1]}")
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield listening.server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    server: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error: tests kill some."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listening

    def _serve(self) -> None:
        around = self.server.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, address.path, dict(parse_qsl(address.query, keep_blank_values=True)), headers, body)
        reply = self._answered(around, call, around.fault() or Fault(0))
        with around.lock:
            around.working -= 1
            status = reply.status if reply else 0
            around.seen.append(Seen(call.method, call.path, status, len(body), time.monotonic()))
        if reply is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(reply)

    def _answered(self, around: Server, call: Call, fault: Fault) -> Reply | None:
        time.sleep(fault.delay_seconds)
        if fault.before:
            fault.before()
        if fault.drop_before:
            return None
        if fault.reply is not None:
            return fault.reply
        with around.lock:
            before = deepcopy(vars(around.fake)) if fault.lie else {}
            try:
                reply = around.fake.answer(call)
            except msgspec.DecodeError:
                reply = Reply(400, {"message": "the body is not JSON"})
            vars(around.fake).update(before)
        if fault.after:
            fault.after()
        return None if fault.drop_after else reply

    def _send(self, reply: Reply) -> None:
        body = reply.body if reply.json is None else msgspec.json.encode(reply.json)
        headers: Mapping[str, str] = {"Content-Type": "application/json", **reply.headers}
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815  # the framework's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""
