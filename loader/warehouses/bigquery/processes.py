"""Who sent a job: labels by which sessions of dead processes are found.

A session outlives its process, and with it the tables that its transaction has changed stay closed to all others until
somebody ends it. So every job says which process sent it.
"""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

HOST, PROCESS = "loader_host", "loader_process"


def labels() -> dict[str, str]:
    """Return the labels of this process's jobs: small letters, digits, `_` and `-`, at most 63 of them."""
    return {HOST: _host(), PROCESS: f"{os.getpid()}-{_started(os.getpid())}"}


def is_dead(sent_by: Mapping[str, str]) -> bool:
    """Return whether the process that these labels name has ended; of another host's it is not known."""
    process, _, started = sent_by.get(PROCESS, "").partition("-")
    if sent_by.get(HOST) != _host() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(process)) not in (started, "")


def _host() -> str:
    return re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().lower())[:63]


def _started(process: int) -> str:
    """Return when a process started, in the kernel's ticks; empty where the system does not tell."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
