"""Leases: one load at a time on a source. A lease ends by release, by time, or with the process that holds it."""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from loader.core.dialect import literal
from loader.core.warehouse import Session


def holder() -> str:
    """Return this process's name: host, process id, and when it started, so that a reused id is another name."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}"


def acquire(session: Session, source: str, token: str, *, now: datetime, ttl: timedelta) -> str | None:
    """Take the source's lease and return None; or return who holds it.

    `token` is the caller's own. A holder on this host that is no longer alive holds nothing.
    """
    for sql in session.dialect.lock:
        session.execute(sql.format(source=literal(session.dialect, source)))
    found = session.execute("SELECT holder, token, expires_at FROM loader.leases WHERE source = ?", [source])
    if found:
        other, theirs, expires_at = found[0]
        if theirs != token and expires_at > now and _may_live(other):
            return f"{_spoken(other)}, until {expires_at:%H:%M:%S} UTC at the latest"
        session.execute("DELETE FROM loader.leases WHERE source = ?", [source])
    session.execute(
        "INSERT INTO loader.leases (source, holder, token, acquired_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        [source, holder(), token, now, now + ttl],
    )
    return None


def renew(session: Session, source: str, token: str, *, now: datetime, ttl: timedelta) -> bool:
    """Hold the lease for another `ttl`; return False if it was lost."""
    kept = session.execute(
        "UPDATE loader.leases SET expires_at = ? WHERE source = ? AND token = ?", [now + ttl, source, token]
    )
    return bool(kept[0][0])


def release(session: Session, source: str, token: str) -> None:
    """Let go of the lease. Twice is fine."""
    session.execute("DELETE FROM loader.leases WHERE source = ? AND token = ?", [source, token])


def held(session: Session, source: str, *, now: datetime) -> str | None:
    """Return who holds the source's lease, or None."""
    found = session.execute("SELECT holder, expires_at FROM loader.leases WHERE source = ?", [source])
    return _spoken(found[0][0]) if found and found[0][1] > now and _may_live(found[0][0]) else None


def _may_live(other: str) -> bool:
    host, process, started = (*other.rsplit(" ", 2), "", "")[:3]
    if host != socket.gethostname() or not process.isdigit():
        return True  # only its own host can tell
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(process)) in (started, "")


def _started(process: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _spoken(other: str) -> str:
    host, process, _ = (*other.rsplit(" ", 2), "", "")[:3]
    return f"process {process} on {host}"
