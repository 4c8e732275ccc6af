"""What the code location offers, by name: a renamed asset would lose its history. And what loading it costs."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.config import dagster_instance_config
from dagster_shared.yaml_utils import load_yaml_from_path

from loader.config import Config
from ui.running import START, definitions

ROOT = Path(__file__).parents[2]
INSTANCES = ROOT / "dagster_project" / "instance"
DEPLOY = ROOT / "dagster_project" / "deploy"
TABLES, LOAD_SECONDS = 5_000, 2.0

ASSETS = {
    *("web/events", "web/loads", "web/warehouse", "web/tables/tracks"),
    *("web/models/daily_active_users", "web/models/sessions", "web/models/users_overview"),
}
JOBS = {"accept_damaged_files", "check_warehouse", "load_now", "prune", "rebuild_table", "retype_column"}
CHECKS = {
    *("web/events:few_rejects", "web/loads:every_event_is_accounted_for", "web/loads:schema_is_unchanged"),
    *("web/warehouse:the_warehouse_has_what_was_loaded", "web/warehouse:no_id_is_there_twice"),
    "web/warehouse:no_partition_is_left_behind",
}


def registry(config: Config, content: bytes) -> None:
    """Write the list of the source's tables."""
    path = config.base / "staging" / "tables" / "web.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def keys(defs: dg.Definitions) -> set[str]:
    return {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}


def test_the_names_are_these(project: Callable[..., Config]) -> None:
    defs = definitions(project(source=START))
    dg.Definitions.validate_loadable(defs)
    assert keys(defs) == ASSETS
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == JOBS
    assert {each.name for each in defs.sensors or ()} == {"new_files", "new_tables", "alert", "models"}
    checked = defs.resolve_asset_graph().asset_check_keys
    found = {f"{key.asset_key.to_user_string()}:{key.name}" for key in checked if "models" not in key.asset_key.path}
    assert found == CHECKS


def test_everything_says_what_it_is(project: Callable[..., Config]) -> None:
    defs = definitions(project(source=START))
    assert [spec.key for spec in defs.resolve_all_asset_specs() if not spec.description] == []
    assert [job.name for job in defs.resolve_all_job_defs() if not job.description and job.name in JOBS] == []


def test_thousands_of_tables_load_fast_and_ask_no_warehouse(project: Callable[..., Config]) -> None:
    config = project(source=START)
    (config.base / "warehouse.duckdb").mkdir()  # whoever opened it would fail
    registry(config, json.dumps({"schema": "web", "tables": [f"event_{each}" for each in range(TABLES)]}).encode())
    took, loaded = _loaded(config)
    assert keys(loaded) >= ASSETS
    assert len(keys(loaded)) == TABLES + len(ASSETS)
    if took >= LOAD_SECONDS:  # the first time also imports
        took, _ = _loaded(config)
    assert took < LOAD_SECONDS, f"{took:.2f} s"


def _loaded(config: Config) -> tuple[float, dg.Definitions]:
    """Return the CPU seconds that a process needs to have the definitions, as every run pays them; and these."""
    began = time.process_time()
    found = definitions(config)
    found.get_repository_def()
    return time.process_time() - began, found


@pytest.mark.parametrize("content", [b"", b"not json", b'{"tables": 1}', b"[]"])
def test_a_broken_list_of_tables_breaks_nothing(project: Callable[..., Config], content: bytes) -> None:
    config = project(source=START)
    registry(config, content)
    assert keys(definitions(config)) == ASSETS


def test_a_bucket_that_is_not_there_breaks_nothing(project: Callable[..., Config]) -> None:
    settings = '[staging.access]\nendpoint = "http://127.0.0.1:9"\naccess_key_id = "k"\nsecret_access_key = "s"'
    config = project(source=START, load=f'[staging]\nurl = "s3://nowhere/staging"\n{settings}')
    began = time.monotonic()
    assert keys(definitions(config)) == ASSETS
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", ["local", "team"])
def test_the_instance_files_are_what_dagster_accepts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://u:p@127.0.0.1:9/d")
    shutil.copy(INSTANCES / f"{name}.yaml", tmp_path / "dagster.yaml")
    found, _ = dagster_instance_config(str(tmp_path))
    assert found["telemetry"] == {"enabled": False}
    assert found["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert found["run_retries"]["retry_on_asset_or_op_failure"] is False


def test_the_instance_of_one_machine_starts(tmp_path: Path) -> None:
    shutil.copy(INSTANCES / "local.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_retries_enabled
        assert not instance.telemetry_enabled


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_deployment_files_are_yaml(path: Path) -> None:
    assert isinstance(load_yaml_from_path(str(path)), dict)


def test_the_values_of_the_chart_make_the_instance_of_a_team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = load_yaml_from_path(str(DEPLOY / "values.yaml"))  # type: ignore[assignment]
    more = values["additionalInstanceConfig"]
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    chart = {
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": {}}
    }  # as its template has it
    (tmp_path / "dagster.yaml").write_text(json.dumps({**chart, **more}))
    found, _ = dagster_instance_config(str(tmp_path))
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://u:p@127.0.0.1:9/d")
    team: dict[str, Any] = load_yaml_from_path(str(INSTANCES / "team.yaml"))  # type: ignore[assignment]
    assert {key: found[key] for key in more} == {key: team[key] for key in more}
    said_by_the_chart = {"run_monitoring": "runMonitoring", "run_retries": "runRetries"}
    twice = [key for key, name in said_by_the_chart.items() if key in more and values["dagsterDaemon"][name]["enabled"]]
    assert twice == []
    assert set(launcher) == {"runK8sConfig"}


def test_the_pods_of_runs_are_what_kubernetes_knows() -> None:
    k8s = pytest.importorskip("dagster_k8s.job", reason="pip install 'warehouse-loader[kubernetes]'")
    values: dict[str, Any] = load_yaml_from_path(str(DEPLOY / "values.yaml"))  # type: ignore[assignment]
    chosen = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    spelled = {
        "containerConfig": "container_config",
        "podSpecConfig": "pod_spec_config",
    }  # as the chart's template does
    config = k8s.UserDefinedDagsterK8sConfig.from_dict({spelled[key]: each for key, each in chosen.items()})
    job = k8s.construct_dagster_k8s_job(
        job_config=k8s.DagsterK8sJobConfig(job_image="loader:0.1.0", dagster_home="/srv/dagster"),
        args=["dagster", "api", "execute_run"],
        job_name="run",
        user_defined_k8s_config=config,
    )
    pod = job.spec.template.spec
    assert pod.termination_grace_period_seconds == 60
    assert pod.containers[0].resources.limits == {"memory": "2Gi"}


def test_the_image_copies_what_is_there_and_starts_the_right_module() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert [word for word in copied if not (ROOT / word).exists()] == []
    assert any("dagster_project.definitions" in line for line in lines)


def test_operations_names_what_is_there(project: Callable[..., Config]) -> None:
    text = (ROOT / "dagster_project" / "OPERATIONS.md").read_text()
    defs = definitions(project(source=START))
    named = {*JOBS, *(each.name for each in (*(defs.sensors or ()), *(defs.schedules or ())))} - {"check_warehouse"}
    assert [name for name in sorted(named) if name not in text] == []
