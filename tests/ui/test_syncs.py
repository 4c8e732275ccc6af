"""Syncs as assets and jobs, against the shipped fake of a tool over real HTTP; and the copy for readers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from contract.project import Project
from contract.project import project as sync_project
from flow import harness

from dagster_project.build import build_defs
from loader.config import Config, load_config
from ui.running import START, checks, failure, materializations, remembering
from ui.running import materialized as loaded
from ui.test_jobs import output, run

GUARDED = {"guard": {"max_removals": "10%", "free_removals": 0}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Project]:
    """Ten people in a warehouse who are to be in a webhook's tool."""
    with sync_project("webhook", tmp_path) as made:
        made.settings = GUARDED
        made.audience(made.people(range(10)))
        (made.folder / "loader.toml").write_text(made.text())
        yield made


def materialized(made: Project) -> dg.ExecuteInProcessResult:
    """Materialize the sync."""
    job = build_defs(made.folder / "loader.toml").resolve_implicit_global_asset_job_def()
    key = dg.AssetKey(["syncs", "tool", "vip"])
    return job.execute_in_process(asset_selection=[key], raise_on_error=False, instance=remembering())


def config_of(made: Project) -> Config:
    return load_config(made.folder / "loader.toml")


def test_a_sync_is_an_asset_that_says_what_it_sent(shop: Project) -> None:
    first, second = materialized(shop), materialized(shop)
    assert (first.success, second.success) == (True, True)
    told = [materializations(each, "syncs/tool/vip")[None] for each in (first, second)]
    assert [(each["adds"], each["confirmed"]) for each in told] == [(10, 10), (0, 0)]
    assert materializations(first, "audiences/vip")[None]["dagster/row_count"] == 10
    assert checks(first) == {"every_row_arrived": True}
    assert shop.server.fake.held() == shop.case.held(range(10))


def test_rows_that_the_tool_refuses_are_a_warning(shop: Project) -> None:
    shop.audience([*shop.people(range(3)), *shop.people((3,), plan="forbidden")])
    result = materialized(shop)
    assert (result.success, checks(result)) == (True, {"every_row_arrived": False})
    assert "forbidden_plan" in materializations(result, "syncs/tool/vip")[None]["reasons"]


def test_what_a_guard_stops_waits_for_a_person_and_is_approved_by_a_job(shop: Project) -> None:
    materialized(shop)
    shop.audience(shop.people(range(5)))
    result = materialized(shop)
    assert not result.success
    why = failure(result)
    assert "a guard stopped run" in why
    assert "5 removals" in why
    assert len(shop.server.fake.held()) == 10
    run_id = why.partition("a guard stopped run ")[2].partition(":")[0]
    approved = run(config_of(shop), "approve_sync", sync="vip", run=run_id)
    assert output(approved)["removed"] == 5
    assert shop.server.fake.held() == shop.case.held(range(5))


def test_a_sync_on_demand_is_a_dry_run_unless_told_otherwise(shop: Project) -> None:
    told = output(run(config_of(shop), "sync_now", sync="vip"))
    assert (told["adds"], told["state"]) == (10, "planned")
    assert "person1@example.com" not in str(told["rows"])
    assert shop.server.arrived == 0
    assert output(run(config_of(shop), "sync_now", sync="vip", dry_run=False))["confirmed"] == 10


def test_a_wrong_name_is_an_error_that_names_the_right_ones(shop: Project) -> None:
    assert "vip" in failure(run(config_of(shop), "sync_now", sync="vpi"))


def test_syncs_run_by_the_clock_if_the_settings_say_so(shop: Project) -> None:
    def condition() -> object:
        defs = build_defs(shop.folder / "loader.toml")
        (spec,) = [each for each in defs.resolve_all_asset_specs() if each.key.path[0] == "syncs"]
        return spec.automation_condition

    assert condition() is None
    (shop.folder / "loader.toml").write_text(shop.text() + '\n[dagster]\nsync_every = "0 6 * * *"\n')
    assert condition() is not None


def test_readers_get_a_copy_that_no_load_waits_for(project: Callable[..., Config]) -> None:
    config = project(source=f'{START}snapshot = "readers.duckdb"\n')
    harness.put(config, "a.jsonl", harness.lines(harness.track(userId="a")))
    loaded(config, "2026-01-01-05:00")

    def copied() -> dg.ExecuteInProcessResult:
        job = build_defs(config.base / "loader.toml").resolve_implicit_global_asset_job_def()
        key = dg.AssetKey(["readers", "snapshot"])
        return job.execute_in_process(asset_selection=[key], raise_on_error=False, instance=remembering())

    assert materializations(copied(), "readers/snapshot")[None]["bytes"] > 0
    with duckdb.connect(str(config.base / "readers.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM web.order_completed").fetchall() == [(1,)]
        harness.put(config, "b.jsonl", harness.lines(harness.track(userId="b")))
        assert loaded(config, "2026-01-01-05:00").success, "a reader is in nobody's way"
        assert copied().success
        assert reader.execute("SELECT count(*) FROM web.order_completed").fetchall() == [(1,)], "it keeps what it has"
    assert sorted(path.name for path in config.base.glob(".readers*")) == []
    with duckdb.connect(str(config.base / "readers.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM web.order_completed").fetchall() == [(2,)]
