"""`make ui`: a project of its own whose files keep arriving, and Dagster's UI on it, at a loopback address.

    python -m dagster_project.demo [FOLDER] [--port 3000]

The folder keeps everything: events, warehouse, Dagster's history. Run again, it goes on from there.
"""

import argparse
import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loader.core.synthetic import Shape, file

SETTINGS = """\
[staging]
keep_days = 3

[sources.web]
url = "events/web"
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"

[sources.app]
url = "events/app"
layout = "{{yyyy}}-{{mm}}-{{dd}}/{{hh}}/"

[dagster]
start = "{start}"
automation = true
owners = ["team:data"]
url = "http://127.0.0.1:{port}"
snapshot = "readers.duckdb"
"""
HOURS = 24  # of events that are there from the start
SOURCES = {"web": (1, 12), "app": (2, 6)}  # seed, names of events
EVENTS, NEW_EVENTS = 200, 40  # in a file of the past, and in one that arrives
ARRIVAL_SECONDS = 20.0
STOP_SECONDS = 30.0
ODD: dict[str, Any] = {"duplicates": 0.01, "conflicts": 0.005, "late": 0.02, "batches": 0.05, "dirty": 0.004}
ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Make the project where it is missing, and run until interrupted."""
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo/ui"))
    parser.add_argument("--port", type=int, default=3000)
    chosen = parser.parse_args()
    folder, port = chosen.folder.absolute(), free(chosen.port)
    # A shell starts what it runs behind deaf to Ctrl-C, and Dagster stops its own processes by that signal.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    prepare(folder, port, datetime.now(UTC))
    stopped = threading.Event()
    threading.Thread(target=collect, args=(folder, stopped), daemon=True).start()
    print(f"Dagster is starting at http://127.0.0.1:{port}; Ctrl-C stops it", flush=True)
    print(f"everything is in {folder}, what it says in dagster/log there", flush=True)
    try:
        return serve(folder, port)
    finally:
        stopped.set()


def prepare(folder: Path, port: int, now: datetime) -> None:
    """Write settings, events of the last hours and Dagster's instance file. Twice is the same as once."""
    home = folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "dagster_project" / "instance" / "local.yaml", home / "dagster.yaml")
    settings, past = folder / "loader.toml", now - timedelta(hours=HOURS)
    if not settings.exists():
        for source in SOURCES:
            for index in range(HOURS):
                arrive(folder, source, now, index=index, events=EVENTS)
        bad = folder / "events" / "app" / f"{now - timedelta(hours=5):%Y-%m-%d/%H}" / "upload-cut-short.jsonl.gz"
        bad.write_bytes(gzip.compress(b'{"type": "track"}\n' * 50)[:-9])
        settings.write_text(SETTINGS.format(start=f"{past:%Y-%m-%d}", port=port))  # last: where it is, the events are
    elif f":{port}" not in (text := settings.read_text()):
        lines = [
            line if not line.startswith('url = "http://127') else f'url = "http://127.0.0.1:{port}"'
            for line in text.splitlines()
        ]
        settings.write_text("\n".join(lines) + "\n")


def arrive(folder: Path, source: str, now: datetime, *, index: int, events: int) -> None:
    """Write a file of events of the hour `index` of the last day, whole at once, as collectors do."""
    seed, names = SOURCES[source]
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    fresh = int(now.timestamp()) if events == NEW_EVENTS else 0  # other events in every file
    shape = Shape(events=events * HOURS, event_names=names, seed=seed + fresh, files=HOURS, start=start, **ODD)
    key, lines = file(shape, index)
    path = folder / "events" / source / key.replace("events-", f"{now:%M%S}-")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_bytes(gzip.compress(lines, mtime=0))
    path.with_suffix(".part").rename(path.with_suffix(".jsonl.gz"))


def collect(folder: Path, stopped: threading.Event) -> None:
    """Have a file arrive in one source after the other, until told to stop."""
    turn = 0
    while not stopped.wait(ARRIVAL_SECONDS):
        source = list(SOURCES)[turn % len(SOURCES)]
        arrive(folder, source, datetime.now(UTC), index=HOURS - 1, events=NEW_EVENTS)
        turn += 1


def serve(folder: Path, port: int) -> int:
    """Run `dagster dev` until it ends or we are told to stop; return its exit code."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "dagster"),
        "LOADER_CONFIG": str(folder / "loader.toml"),
        "PYTHONWARNINGS": "ignore",
    }
    words = [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1"]
    log = ["--log-level", "warning", "-p", str(port)]
    # In a session of its own: the signal to stop comes from us alone, once.
    with (folder / "dagster" / "log").open("ab") as told:
        child = subprocess.Popen(
            [*words, *log], cwd=ROOT, env=environment, start_new_session=True, stdout=told, stderr=told
        )
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
    try:
        return child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def free(port: int) -> int:
    """Return the port, or one that is free where it is taken."""
    for each in (port, 0):
        try:
            with socket.create_server(("127.0.0.1", each)) as found:
                return int(found.getsockname()[1])
        except OSError:
            continue
    return port


if __name__ == "__main__":
    sys.exit(main())
