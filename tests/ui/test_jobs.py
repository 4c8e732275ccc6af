"""Jobs, checks, models, schedules and the alert, each through Dagster's own tools on a real warehouse."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from flow import harness, lakes

from dagster_project.history import delete_old_runs
from dagster_project.jobs import range_of
from dagster_project.resources import Loader
from loader.config import Config
from ui.running import START, definitions, failure, materialized, remembering

FIVE, SIX = "2026-01-01-05:00", "2026-01-01-06:00"
VISITS = (("a", "05:00"), ("a", "05:20"), ("a", "05:51"), ("b", "05:10"))


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Events of two people in two hours, one of whom comes twice; not loaded yet."""
    config = project(source=START)
    for number, (person, at) in enumerate(VISITS):
        event = harness.track(userId=person, receivedAt=f"2026-01-01T{at}:00Z", properties={"total": number})
        harness.put(config, f"{number}.jsonl", harness.lines(event))
    return config


def run(config: Config, name: str, instance: dg.DagsterInstance | None = None, **settings: Any) -> Any:
    """Run a job with one step as the Launchpad does."""
    job = definitions(config).resolve_job_def(name)
    (op,) = [node.name for node in job.nodes]
    return job.execute_in_process(
        run_config={"ops": {op: {"config": settings}}} if settings else {},
        raise_on_error=False,
        instance=instance or remembering(),
    )


def output(result: Any) -> dict[str, Any]:
    """Return the metadata of the step's output."""
    (event,) = result.filter_events(lambda event: event.is_successful_output)
    return {name: each.value for name, each in event.step_output_data.metadata.items()}


def test_load_now_does_nothing_unless_it_is_told_to(web: Config) -> None:
    assert "4 files, 4 events" in output(run(web, "load_now", source="web"))["plan"]
    assert not (web.base / "warehouse.duckdb").exists()
    assert "4 events, 4 rows" in output(run(web, "load_now", source="web", dry_run=False))["loads"]
    assert output(run(web, "load_now", source="web", dry_run=False))["loads"] == "nothing to load"
    again = output(run(web, "load_now", source="web", dry_run=False, replay=True, start="2026-01-01"))["loads"]
    assert "4 events, 0 rows" in again


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"source": "wbe"}, "there is no source 'wbe' in the configuration; known are: web"),
        ({"source": "web", "replay": True, "dry_run": False}, "say from when with `start`"),
        ({"source": "web", "start": "yesterday"}, "write a time in UTC, like 2026-01-31"),
        ({"source": "web", "start": "2026-01-02", "stop": "2026-01-01"}, "`start` is not before `stop`"),
    ],
)
def test_what_cannot_be_loaded_is_said(web: Config, settings: dict[str, Any], said: str) -> None:
    assert said in failure(run(web, "load_now", **settings))


def test_unknown_settings_are_refused_before_the_run(web: Config) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="sorce"):
        run(web, "load_now", sorce="web")


def test_no_path_and_no_secret_is_in_what_the_launchpad_shows(web: Config) -> None:
    for job in definitions(web).resolve_all_job_defs():
        shown = job.run_config_schema.config_type.fields  # type: ignore[attr-defined]
        assert shown["resources"].default_value["loader"] == {}, job.name


def test_a_rebuilt_table_holds_what_the_events_say_and_the_old_one_stays(web: Config) -> None:
    harness.run(web)
    harness.change(web, "UPDATE web.order_completed SET total = 99")
    run(web, "rebuild_table", source="web", table="order_completed", start="2026-01-01")
    assert {row["total"] for row in harness.rows(web, "order_completed")} == {99}, "a dry run"
    kept = output(run(web, "rebuild_table", source="web", table="order_completed", start="2026-01-01", dry_run=False))
    assert sorted(row["total"] for row in harness.rows(web, "order_completed")) == [0, 1, 2, 3]
    assert {row["total"] for row in harness.rows(web, kept["kept"])} == {99}
    assert Loader(web.base / "loader.toml").counted("web") == []


def test_a_column_is_retyped_from_the_launchpad(web: Config) -> None:
    harness.run(web)
    done = output(run(web, "retype_column", table="web.order_completed", column="total", type="string"))
    assert (done["from"], done["to"]) == ("integer", "string")


def test_a_damaged_file_that_is_accepted_lets_its_hour_turn_green(web: Config) -> None:
    harness.put(web, "bad.jsonl", b"\x1f\x8b\x08 cut", packed=False)
    assert not materialized(web, FIVE).success
    done = run(web, "accept_damaged_files", source="web", start="2026-01-01T05:00", stop="2026-01-01T06:00")
    assert output(done) == {"files": 1}
    assert materialized(web, FIVE).success


def test_old_runs_are_deleted_but_for_the_newest_of_each_asset(web: Config) -> None:
    later = datetime(2100, 1, 1, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            materialized(web, FIVE, instance=instance)
        assert delete_old_runs(instance, later, but="", dry_run=True) == 1
        assert len(instance.get_runs()) == 3
        assert delete_old_runs(instance, later, but="", dry_run=False) == 1, "the first has made tables, the last hours"
        assert delete_old_runs(instance, later, but="", dry_run=False) == 0
        assert output(run(web, "prune", instance, dry_run=False))["runs"] == 0


def test_checks_find_what_is_wrong_in_the_warehouse(web: Config) -> None:
    materialized(web, FIVE)
    defs = definitions(web)
    job = defs.resolve_job_def("check_warehouse")

    def passed() -> dict[str, bool]:
        found = job.execute_in_process(instance=remembering()).get_asset_check_evaluations()
        return {each.check_name: each.passed for each in found}

    names = ("no_id_is_there_twice", "no_partition_is_left_behind", "the_warehouse_has_what_was_loaded")
    assert passed() == dict.fromkeys(names, True)
    harness.change(
        web, "INSERT INTO web.order_completed SELECT * REPLACE (now() AS received_at) FROM web.order_completed"
    )
    harness.change(web, "INSERT INTO web.order_completed SELECT * FROM web.order_completed LIMIT 4 OFFSET 4")
    harness.put(web, "bad.jsonl", b"\x1f\x8b\x08 cut", packed=False)
    materialized(web, FIVE)
    assert passed() == dict.fromkeys(names, False)


def test_schedules_ask_for_the_last_complete_hours(web: Config) -> None:
    defs = definitions(web)
    schedule = defs.resolve_schedule_def("catch_up")
    at = datetime(2026, 1, 3, 7, 7, tzinfo=UTC)
    found = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at))
    (request,) = found.run_requests or ()
    assert request.tags["dagster/asset_partition_range_start"] == "2026-01-02-07:00"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-01-03-06:00"
    assert {each.name for each in defs.schedules or ()} == {"catch_up", "check_warehouse_schedule", "prune_schedule"}


def test_a_lake_is_compacted_by_a_job_and_by_the_clock(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path, source=START)
    for number in range(2):
        harness.put(config, f"{number}.jsonl", harness.lines(harness.track(userId=f"u{number}")))
        harness.run(config)
    told = output(run(config, "compact"))
    assert told == {"tables": 2, "files_before": 4, "files_after": 2}
    schedule = definitions(config).resolve_schedule_def("compact_schedule")
    (request,) = schedule.evaluate_tick(dg.build_schedule_context()).run_requests or ()
    assert (schedule.job_name, request.run_config) == ("compact", {})


def test_everything_is_off_in_a_new_instance_unless_the_settings_say_on(web: Config) -> None:
    off = definitions(web)
    assert {each.default_status.value for each in (*(off.sensors or ()), *(off.schedules or ()))} == {"STOPPED"}
    path = web.base / "loader.toml"
    path.write_text(path.read_text().replace("[dagster]", "[dagster]\nautomation = true"))
    on = definitions(web)
    assert {each.default_status.value for each in (*(on.sensors or ()), *(on.schedules or ()))} == {"RUNNING"}


def test_a_range_may_be_written_in_days_or_hours() -> None:
    window = range_of("2026-01-31", "2026-01-31T05:00+01:00")
    assert (window.start, window.stop) == (
        datetime(2026, 1, 31, tzinfo=UTC),
        datetime(2026, 1, 31, 4, tzinfo=UTC),
    )
