"""Shards on a real Dask cluster, in processes of its own: the same tables, also when a worker is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flow import harness
from loader.config import Config
from loader.core.synthetic import Shape, files
from loader.errors import WorkerError

pytest.importorskip("distributed", reason="distributed is not installed: pip install distributed")
SHAPE = Shape(events=12_000, event_names=8, files=12, conflicts=0.01, duplicates=0.01, dirty=0.002)
SMALL = 'shard_bytes = "64KB"'  # many shards, so that a killed worker leaves some undone
WORKERS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A scheduler and two workers under their nannies; yields its address and the workers."""
    folder = tmp_path_factory.mktemp("dask")
    named = folder / "scheduler.json"
    shared = ["--no-dashboard", "--scheduler-file", str(named)]
    scheduler = _started(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", *shared)
    deadline = time.monotonic() + 120
    while not named.exists():
        assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    worker = ["--nthreads", "1", "--host", "127.0.0.1", "--local-directory", str(folder), *shared]
    workers = [_started(folder, "worker", *worker) for _ in range(WORKERS)]
    try:
        import json

        yield json.loads(named.read_text())["address"], workers
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            process.wait(30)


def _started(folder: Path, what: str, *options: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / f"{what}.log").open("ab") as log:
        return subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)


def _made(folder: Path, load: str) -> Config:
    config = harness.project(folder, load=load)
    for key, lines in files(SHAPE):
        harness.put(config, key, lines)
    return config


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, ...]]:
    """What the tables hold after a load in this process."""
    config = _made(tmp_path_factory.mktemp("local"), "workers = 1")
    harness.run(config)
    return harness.fingerprints(config, without=("loaded_at", "load_id"))


def test_a_cluster_makes_the_same_tables(
    cluster: tuple[str, list["subprocess.Popen[bytes]"]], local: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    config = _made(tmp_path, f'engine = "dask"\ndask = "{cluster[0]}"\nworkers = 4\n{SMALL}')
    (result,) = harness.run(config)
    assert (result.state, result.conserved) == ("done", True)
    assert harness.fingerprints(config, without=("loaded_at", "load_id")) == local
    harness.assert_settled(config)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_missing(
    cluster: tuple[str, list["subprocess.Popen[bytes]"]], local: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    config = _made(tmp_path, f'engine = "dask"\ndask = "{cluster[0]}"\nworkers = 4\n{SMALL}')
    load = harness.start(config)
    reports = config.base / "staging"
    while not list(reports.rglob("_reports/*")):
        assert load.poll() is None, load.communicate()
        time.sleep(0.01)
    for nanny in cluster[1][:1]:
        for child in _children(nanny.pid):
            os.kill(child, signal.SIGKILL)
    said = load.communicate(timeout=240)[1]
    assert load.returncode == 0, said
    assert harness.fingerprints(config, without=("loaded_at", "load_id")) == local
    harness.assert_settled(config)


def _children(process: int) -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [each.pid for each in psutil.Process(process).children(recursive=True)]


def test_a_scheduler_that_is_not_there_is_named(project: Callable[..., Config]) -> None:
    config = project(load='engine = "dask"\ndask = "tcp://127.0.0.1:9"')
    harness.put(config, "a.jsonl", harness.lines(harness.track()))
    with pytest.raises(WorkerError, match="no Dask scheduler answers at tcp://127\\.0\\.0\\.1:9"):
        harness.run(config)
