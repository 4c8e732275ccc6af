"""What Dagster and Dask add to the work itself: `python tests/benchmarks --dagster`. Needs the extra `test`.

Processes are started as a person starts them, and asked through the UI's own GraphQL.
"""

import gzip
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from flow import harness  # noqa: E402
from standins.ports import reserved  # noqa: E402
from ui.server import BACKFILL, BACKFILL_STATE, RUN, Server, dagster_dev, stop  # noqa: E402

from loader.config import Config, load_config  # noqa: E402
from loader.core.synthetic import Shape, files  # noqa: E402

TABLES, HOURS, CLICKS = 5_000, 24, 3
DASK_EVENTS = 200_000
SHOWN = 20  # assets that the demo has at least when its tables are there
START = '[dagster]\nstart = "2026-01-01"\n'
DAY = [f"2026-01-01-{hour:02}:00" for hour in range(HOURS)]
_DEFINITIONS = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from dagster_project.build import build_defs
imported = time.perf_counter()
build_defs(Path(sys.argv[1])).get_repository_def()
print(imported - began, time.perf_counter() - imported)
"""


def overheads(work: Path) -> list[tuple[str, str]]:
    """Return what was measured, in words, each with its figure."""
    folder = work / "dagster"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = [*_definitions(folder / "tables"), *_served(folder / "served"), *_demo(folder / "demo")]
    return found + list(_dask(folder / "dask"))


def table(found: list[tuple[str, str]]) -> str:
    """Return the figures as a table."""
    return "\n".join(["| | |", "|---|---:|", *(f"| {what} | {figure} |" for what, figure in found)])


def _definitions(folder: Path) -> Iterator[tuple[str, str]]:
    config = harness.project(folder, source=START)
    path = config.base / "staging" / "tables" / "web.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema": "web", "tables": [f"event_{each}" for each in range(TABLES)]}))
    words = [sys.executable, "-W", "ignore", "-c", _DEFINITIONS, str(config.base / "loader.toml")]
    told = [subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout for _ in range(3)]
    imported, loaded = min((tuple(map(float, each.split())) for each in told), key=lambda each: each[1])
    yield f"definitions with {TABLES:,} tables, best of 3", f"{loaded:.1f} s, after {imported:.1f} s of imports"


def _served(folder: Path) -> Iterator[tuple[str, str]]:
    config = harness.project(folder, source=START)
    for hour in range(HOURS):
        harness.put(config, f"2026-01-01/{hour:02}/a.jsonl", harness.lines(harness.track(userId=f"u{hour}")))
    began = time.monotonic()
    with dagster_dev(config.base) as server:
        yield "`dagster dev` until its assets are there", f"{time.monotonic() - began:.1f} s"
        waits, works = zip(*(_click(server, hour) for hour in DAY[:CLICKS]), strict=True)
        yield f"click to run, median of {CLICKS}", f"{sorted(waits)[CLICKS // 2]:.1f} s"
        yield "a run's work, one file of an hour", f"{sorted(works)[CLICKS // 2]:.1f} s"
        yield f"backfill of {HOURS} hours, one run, all but its work", f"{_backfill(server):.0f} s"
        family = [psutil.Process(server.process.pid), *server.processes("")]
        yield "resident memory of `dagster dev`", f"{sum(each.memory_info().rss for each in family) >> 20:,} MB"


def _click(server: Server, hour: str) -> tuple[float, float]:
    """Return the seconds from the click to the run's first step, and those of the run's work."""
    began = time.time()
    run = server.launch(assets=("web/events", "web/loads"), tags={"dagster/partition": hour}, config={})
    found = server.ended(run)
    return found["startTime"] - began, found["endTime"] - found["startTime"]


def _backfill(server: Server) -> float:
    """Return the seconds from asking for a backfill to its end, but for those in which its run worked."""
    began = time.monotonic()
    selection = [{"path": ["web", half]} for half in ("events", "loads")]
    params = {"assetSelection": selection, "partitionNames": DAY, "title": "a day"}
    backfill = server.ask(BACKFILL, params=params)["launchPartitionBackfill"]["backfillId"]

    def over() -> bool:
        state = server.ask(BACKFILL_STATE, id=backfill)["partitionBackfillOrError"]["status"]
        return state not in ("REQUESTED", "CANCELING", "FAILING")

    server.until(over, seconds=600)
    took, worked = time.monotonic() - began, 0.0
    for each in server.runs():
        if any(tag == {"key": "dagster/backfill", "value": backfill} for tag in each["tags"]):
            run = server.ask(RUN, run=each["runId"])["runOrError"]
            worked += run["endTime"] - run["startTime"]
    return took - worked


def _demo(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield when a person who says `make ui` sees tables: installing is not counted, files that arrive are there."""
    began = time.monotonic()
    folder.mkdir()
    with reserved() as port, (folder / "log").open("wb") as log:
        words = [sys.executable, "-m", "dagster_project.demo", str(folder / "ui"), "--port", str(port)]
        process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            server = Server(process, port, folder / "log")
            server.until(server.assets, seconds=600)
            yield "`make ui` until the UI has its assets", f"{time.monotonic() - began:.0f} s"
            server.until(lambda: len([each for each in server.assets() if "/tables/" in each]) >= SHOWN, seconds=600)
            yield "`make ui` until all tables are assets", f"{time.monotonic() - began:.0f} s"
        finally:
            stop(process)


def _dask(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the wall time of a load with shards on one and on two Dask workers of one thread each."""
    events = folder / "events"
    for key, content in files(Shape(events=DASK_EVENTS, event_names=30, files=16)):
        path = events / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content, 1, mtime=0))
    walls = []
    for workers in (1, 2):
        config = _dask_project(folder / str(workers), events)
        with _cluster(folder / str(workers), workers) as address:
            path = config.base / "loader.toml"
            path.write_text(path.read_text().replace("ADDRESS", address))
            began = time.monotonic()
            [result] = harness.run(load_config(path))
            walls.append(time.monotonic() - began)
        assert result.state == "done"
    yield f"{DASK_EVENTS:,} events, shards on 1 Dask worker", f"{walls[0]:.1f} s"
    yield f"{DASK_EVENTS:,} events, shards on 2 Dask workers", f"{walls[1]:.1f} s: {walls[0] / walls[1]:.2f} times"


def _dask_project(folder: Path, events: Path) -> Config:
    config = harness.project(folder, load='engine = "dask"\ndask = "ADDRESS"\nworkers = 4\nshard_bytes = "4MB"')
    (folder / "events").rmdir()
    (folder / "events").symlink_to(events)
    return config


@contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[str]:
    """Run a scheduler and workers of one thread; yield the scheduler's address."""
    written = folder / "scheduler.json"
    shared = ["--scheduler-file", str(written), "--no-dashboard"]
    ours = ["--nthreads", "1", "--nworkers", str(workers), "--local-directory", str(folder / "disks")]
    commands: dict[str, list[str]] = {"scheduler": ["--host", "127.0.0.1", "--port", "0"], "worker": ours}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for what, more in commands.items():
            words = [sys.executable, "-m", f"distributed.cli.dask_{what}", *shared, *more]
            quiet: Any = subprocess.DEVNULL
            started.append(subprocess.Popen(words, cwd=ROOT, stdout=quiet, stderr=quiet, start_new_session=True))
        deadline = time.monotonic() + 120
        while not written.exists():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.2)
        address = str(json.loads(written.read_text())["address"])
        _await(address, workers)
        yield address
    finally:
        for each in started:
            stop(each)


def _await(address: str, workers: int) -> None:
    from distributed import Client

    connect: Any = Client  # which has no types
    with connect(address, timeout=60) as client:
        client.wait_for_workers(workers, timeout=120)
