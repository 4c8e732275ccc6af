"""A proxy before a server that speaks PostgreSQL's protocol: it cuts connections at chosen statements.

It looks for a word in what clients send, unencrypted. `before`: the server never hears of it; `after`: the server has
done it and answered, and the answer is lost.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, Thread
from typing import Literal

When = Literal["before", "after"]


@dataclass(slots=True)
class Wire:
    """The proxy: its port, how often it heard the word, and at which hearing it is to cut, and when."""

    port: int
    word: bytes
    cut_at: int | None = None  # counted from 0
    when: When = "before"
    heard: int = 0
    cuts: int = 0
    _lock: Lock = field(default_factory=Lock)

    def hears(self, data: bytes) -> bool:
        """Take note of what a client sends; return whether to cut its connection now."""
        with self._lock:
            found = data.count(self.word)
            due = self.cut_at is not None and self.heard <= self.cut_at < self.heard + found
            self.heard += found
            self.cuts += due
            return due


@contextmanager
def proxy(host: str, port: int, word: bytes) -> Iterator[Wire]:
    """Yield a proxy on 127.0.0.1 before a server."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(listener.getsockname()[1], word)
    Thread(target=_accept, args=(listener, host, port, wire), daemon=True).start()
    try:
        yield wire
    finally:
        listener.close()


def _accept(listener: socket.socket, host: str, port: int, wire: Wire) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # closed: the proxy is over
            return
        server = socket.create_connection((host, port))
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cut: list[When] = []
        for source, sink, may in (
            (client, server, partial(_asked, wire, cut)),
            (server, client, partial(_answered, cut)),
        ):
            Thread(target=_pass_on, args=(source, sink, may), daemon=True).start()


def _asked(wire: Wire, cut: list[When], data: bytes) -> bool:
    """Return whether to pass on what a client sent."""
    if wire.hears(data):
        cut.append(wire.when)
    return "before" not in cut


def _answered(cut: list[When], _: bytes) -> bool:
    """Return whether to pass on what the server answered."""
    return "after" not in cut


def _pass_on(source: socket.socket, sink: socket.socket, may: Callable[[bytes], bool]) -> None:
    """Pass bytes on until one side ends, or until some may not be: then both sides are cut."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            if not may(data):
                break
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
