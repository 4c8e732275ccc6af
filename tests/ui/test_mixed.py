"""A project with a source by hour and one by day, as its user meets it: the sensor, the catch-up, a backfill."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from flow import harness

from loader.config import Config
from ui.running import START, counts, definitions, materialized
from ui.test_new_files import ENDS, tick

DAILY = '[sources.shop]\nurl = "shop"\nlayout = "{yyyy}-{mm}-{dd}/"\npartition = "day"\n'


@pytest.fixture
def mixed(project: Callable[..., Config]) -> Config:
    """Files of two hours of the one, and of two days of the other."""
    config = project(source=DAILY + START)
    for hour in (3, 4):
        harness.put(config, f"2026-01-01/{hour:02}/a.jsonl", harness.lines(harness.track(userId=f"web {hour}")))
    for day in (1, 2):
        path = Path(config.sources["shop"].url) / f"2026-01-{day:02}" / "a.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(harness.lines(harness.track("Paid", userId=f"shop {day}")))
    return config


def done(config: Config, requests: Any, instance: dg.DagsterInstance) -> list[tuple[str, str, str, bool]]:
    """Run what was asked for as the daemon does, by its job; return job, first and last partition, and success."""
    found = []
    for request in requests:
        job = definitions(config).resolve_job_def(request.job_name)
        result = job.execute_in_process(
            asset_selection=list(request.asset_selection), tags=request.tags, instance=instance, raise_on_error=False
        )
        found.append((request.job_name, *(request.tags[end] for end in ENDS), result.success))
    return found


def test_the_sensor_asks_for_runs_of_either_length_and_they_load(mixed: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(mixed, instance)
        assert done(mixed, found.run_requests, instance) == [
            ("load_by_day", "2026-01-01", "2026-01-02", True),
            ("load_by_hour", "2026-01-01-03:00", "2026-01-01-04:00", True),
        ]
        assert tick(mixed, instance, found.cursor).run_requests in (None, [])
    assert harness.query(mixed, "SELECT count(*) FROM web.tracks") == [(2,)]
    assert harness.query(mixed, "SELECT count(*) FROM shop.paid") == [(2,)]


@pytest.mark.parametrize(("job", "left"), [("load_by_day", ["load_by_hour"]), ("load_by_hour", ["load_by_day"])])
def test_a_run_of_one_length_holds_back_none_of_the_other(mixed: Config, job: str, left: list[str]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        (request,) = [each for each in tick(mixed, instance).run_requests or () if each.job_name == job]
        instance.create_run_for_job(
            definitions(mixed).resolve_job_def(job),
            tags=dict(request.tags),
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset(request.asset_selection or ()),
        )
        assert [each.job_name for each in tick(mixed, instance).run_requests or ()] == left


@pytest.mark.parametrize(
    ("name", "ends", "table"),
    [
        ("catch_up", ("2026-01-01-05:00", "2026-01-02-04:00"), "web.tracks"),
        ("catch_up_day", ("2026-01-01", "2026-01-01"), "shop.paid"),  # before `start` there are no days
    ],
)
def test_each_catch_up_asks_for_its_own_sources_alone(
    mixed: Config, name: str, ends: tuple[str, str], table: str
) -> None:
    schedule = definitions(mixed).resolve_schedule_def(name)
    at = datetime(2026, 1, 2, 5, 7, tzinfo=UTC)
    (request,) = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests or ()
    assert tuple(request.tags[end] for end in ENDS) == ends
    assert {key.path[0] for key in request.asset_selection or ()} == {table.partition(".")[0]}


def test_before_its_first_partition_has_ended_a_catch_up_asks_for_nothing(mixed: Config) -> None:
    schedule = definitions(mixed).resolve_schedule_def("catch_up_day")
    at = datetime(2026, 1, 1, 5, 7, tzinfo=UTC)
    assert not schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests


def test_a_catch_up_loads_what_the_sensor_missed(mixed: Config) -> None:
    at = datetime(2026, 1, 4, 2, 7, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("catch_up", "catch_up_day"):
            defs = definitions(mixed)
            schedule = defs.resolve_schedule_def(name)
            (request,) = (
                schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=at)).run_requests or ()
            )
            job = defs.resolve_job_def(schedule.job_name)
            result = job.execute_in_process(
                asset_selection=list(request.asset_selection or ()), tags=request.tags, instance=instance
            )
            assert result.success
    assert harness.query(mixed, "SELECT count(*) FROM shop.paid") == [(2,)], "the last three days"


def test_a_backfill_of_days_is_one_load_that_tells_of_each_day(mixed: Config) -> None:
    result = materialized(mixed, "2026-01-01", "2026-01-03", assets=("shop/events", "shop/loads"))
    assert result.success
    assert [each["events"] for each in counts(result, "shop/loads").values()] == [1, 1, 0]
    assert harness.query(mixed, "SELECT count(*) FROM loader.loads") == [(1,)]
