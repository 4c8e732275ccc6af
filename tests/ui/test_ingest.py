"""The Dagster project: its definitions, its assets on real files, and `dagster dev` driven as its UI drives it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import dagster as dg
import pytest
from flow import harness

from dagster_project.build import build_defs
from dagster_project.ingest import CONSERVED
from loader.config import Config

ROOT = Path(__file__).parents[1]
START_SECONDS, RUN_SECONDS = 90.0, 60.0  # on a busy machine; 8 and 4 on an idle one
LAUNCH = """mutation ($execution: ExecutionParams!) {
  launchRun(executionParams: $execution) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATE = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
DAILY = '[sources.app]\nurl = "app"\nlayout = "{yyyy}-{mm}-{dd}/"\npartition = "day"'


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Three hours of events: two in the first, one of them sent again in the second, and one in the fourth."""
    config = project(source=DAILY)
    first, second = harness.track(userId="a"), harness.track(userId="b", properties={"total": 3})
    harness.put(config, "2026-01-01/05/a.jsonl", harness.lines(first, second))
    harness.put(config, "2026-01-01/06/a.jsonl", harness.lines(second, "no event"))
    harness.put(config, "2026-01-01/08/a.jsonl", harness.lines(harness.track("Signed Up")))
    return config


def materialized(config: Config, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
    """Materialize an hour, or in one run the hours from the first to the last."""
    defs = build_defs(config.base / "loader.toml", start="2026-01-01")
    ends = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        partition_key=None if last else first,
        asset_selection=[dg.AssetKey(["web", "events"])],
        tags=ends if last else {},
        raise_on_error=False,
    )


def facts(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    """Return the metadata of each partition that was materialized, without what differs from run to run."""
    return [
        {name: each.value for name, each in event.materialization.metadata.items() if name in ("rows", "quarantined")}
        for event in result.get_asset_materialization_events()
    ]


def test_every_source_is_an_asset_by_hour_or_by_day(web: Config) -> None:
    defs = build_defs(web.base / "loader.toml", start="2026-01-01")
    dg.Definitions.validate_loadable(defs)
    found = {spec.key.to_user_string(): spec.partitions_def for spec in defs.resolve_all_asset_specs()}
    assert found == {
        "web/events": dg.HourlyPartitionsDefinition("2026-01-01-00:00", timezone="UTC", end_offset=1),
        "app/events": dg.DailyPartitionsDefinition("2026-01-01", timezone="UTC", end_offset=1),
    }


def test_an_hour_loads_its_files_and_no_others(web: Config) -> None:
    result = materialized(web, "2026-01-01-05:00")
    assert (result.success, facts(result)) == (True, [{"rows": 2, "quarantined": 0}])
    assert len(harness.rows(web, "order_completed")) == 2
    (event,) = result.get_asset_materialization_events()
    assert "- create web.order_completed" in str(event.materialization.metadata["schema_changes"].value)
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (CONSERVED, True)


def test_a_range_is_one_load_and_its_empty_hour_is_materialized_too(web: Config) -> None:
    result = materialized(web, "2026-01-01-05:00", "2026-01-01-08:00")
    assert result.success
    assert [event.partition for event in result.get_asset_materialization_events()] == [
        f"2026-01-01-{hour}:00" for hour in ("05", "06", "07", "08")
    ]
    assert facts(result)[0] == {"rows": 3, "quarantined": 1}
    assert harness.query(web, "SELECT count(*), sum(files) FROM loader.loads") == [(1, 3)]


def test_an_hour_that_is_loaded_is_not_loaded_again(web: Config) -> None:
    materialized(web, "2026-01-01-05:00")
    result = materialized(web, "2026-01-01-05:00")
    assert (result.success, facts(result)) == (True, [{"rows": 0, "quarantined": 0}])


def test_what_stops_a_load_is_said_in_the_run(web: Config) -> None:
    defs = build_defs(web.base / "loader.toml", start="2026-01-01")
    (web.base / "loader.toml").write_text("[sources.other]\nurl = 'events'\n")
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        partition_key="2026-01-01-05:00", asset_selection=[dg.AssetKey(["web", "events"])], raise_on_error=False
    )
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    assert "there is no source 'web' in the configuration" in str(failure.step_failure_data.error)


def test_dagster_dev_starts_and_materializes_a_partition(web: Config, tmp_path: Path) -> None:
    log = tmp_path / "home" / "log"
    with dagster_dev(web, tmp_path / "home") as ask:
        selector = {
            "repositoryLocationName": "loader",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["web", "events"]}],
        }
        tags = [{"key": "dagster/partition", "value": "2026-01-01-05:00"}]
        execution = {"selector": selector, "executionMetadata": {"tags": tags}, "runConfigData": {}}
        launched = ask(LAUNCH, execution=execution)["launchRun"]
        run = launched["run"]["runId"]
        ended = ("SUCCESS", "FAILURE")
        until(lambda: ask(STATE, run=run)["runOrError"]["status"] in ended, seconds=RUN_SECONDS, log=log)
        assert ask(STATE, run=run)["runOrError"]["status"] == "SUCCESS"
    assert len(harness.rows(web, "order_completed")) == 2


@contextmanager
def dagster_dev(config: Config, home: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run `dagster dev` with the workspace and the instance of this repository; yield a way to ask its GraphQL."""
    home.mkdir()
    shutil.copy(ROOT / "dagster_project" / "instance" / "local.yaml", home / "dagster.yaml")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def ask(query: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=20) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data

    words = ["dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "LOADER_START": "2026-01-01",
        "PYTHONPATH": str(ROOT),
        "LOADER_CONFIG": str(config.base / "loader.toml"),
    }
    with (home / "log").open("wb") as log, started([sys.executable, "-m", "dagster", *words], environment, log) as dev:
        until(lambda: dev.poll() is not None or bool(ready(ask)), seconds=START_SECONDS, log=home / "log")
        assert dev.poll() is None, (home / "log").read_text()
        yield ask


@contextmanager
def started(words: Sequence[str], environment: dict[str, str], log: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a session of its own: else it has no ear for the signal to stop."""
    dev = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield dev
    finally:
        dev.terminate()
        try:
            dev.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(dev.pid, 9)
            dev.wait()


def ready(ask: Callable[..., dict[str, Any]]) -> list[Any]:
    """Return the assets that are served; none while the server or its code location is starting."""
    try:
        return list(ask("{ assetNodes { id } }")["assetNodes"])
    except (URLError, ConnectionError, TimeoutError):
        return []


def until(happened: Callable[[], bool], *, seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {seconds:.0f} s: {log.read_text()[-4000:]}"
        time.sleep(0.2)
