"""The sensor for new files, through real ticks on real files: what it asks for, what it leaves, what it says."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from flow import harness

from dagster_project.resources import Loader
from dagster_project.spans import MAX_ATTEMPTS, spans
from loader.config import Config
from loader.load.outstanding import Waiting, waiting
from ui.running import START, definitions, materialized

BOTH = '[sources.app]\nurl = "app"\nlayout = "{yyyy}-{mm}-{dd}/{hh}/"\n'
ENDS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@pytest.fixture
def two(project: Callable[..., Config]) -> Config:
    """Two sources; the first has files of the hours 3, 4, 5 and 9, the second of 4."""
    config = project(source=BOTH + START)
    for hour in (3, 4, 5, 9):
        harness.put(config, f"2026-01-01/{hour:02}/a.jsonl", harness.lines(harness.track(userId=f"web {hour}")))
    _put_app(config, 4)
    return config


def _put_app(config: Config, hour: int) -> None:
    path = Path(config.sources["app"].url) / f"2026-01-01/{hour:02}/a.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(harness.lines(harness.track(userId=f"app {hour}")))


def tick(config: Config, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """Evaluate the sensor as the daemon does."""
    sensor = definitions(config).resolve_sensor_def("new_files")
    resources = {"loader": Loader(config.base / "loader.toml")}
    found = sensor(dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources))
    assert isinstance(found, dg.SensorResult)
    return found


def asked(result: dg.SensorResult) -> list[tuple[str, str, list[str]]]:
    """Return first and last partition, and the sources, of each run that was asked for."""
    return [
        (
            each.tags[ENDS[0]].removeprefix("2026-01-01-"),
            each.tags[ENDS[1]].removeprefix("2026-01-01-"),
            sorted({key.path[0] for key in each.asset_selection or ()}),
        )
        for each in result.run_requests or ()
    ]


def test_one_run_is_asked_for_each_contiguous_span_of_all_sources(two: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(two, instance)
    assert asked(found) == [("03:00", "05:00", ["app", "web"]), ("09:00", "09:00", ["web"])]
    first = (found.run_requests or [])[0]
    assert (first.tags["sources"], first.tags["files"]) == ("app, web", "4")


def test_what_is_asked_for_can_be_run(two: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for request in tick(two, instance).run_requests or ():
            ends = [request.tags[end] for end in ENDS]
            keys = tuple(key.to_user_string() for key in request.asset_selection or ())
            assert materialized(two, *ends, assets=keys, instance=instance).success
        found = tick(two, instance)
    assert (asked(found), str(found.skip_reason)) == ([], str(dg.SkipReason("no new files")))


def test_a_source_that_cannot_be_listed_stops_no_other(two: Config) -> None:
    path = two.base / "loader.toml"
    path.write_text(path.read_text().replace('url = "app"', 'url = "app that is gone"'))
    with dg.DagsterInstance.ephemeral() as instance:
        assert [each[2] for each in asked(tick(two, instance))] == [["web"], ["web"]]


def test_files_before_the_first_partition_are_told_of_and_hold_back_no_others(two: Config) -> None:
    path = two.base / "loader.toml"
    path.write_text(path.read_text().replace('start = "2026-01-01"', 'start = "2026-01-02"'))
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(two, instance)
        assert asked(found) == []
        assert "web: 4 partitions before `start` (2026-01-02) are left alone" in str(found.skip_reason)
        harness.put(two, "2026-01-02/00/a.jsonl", harness.lines(harness.track(userId="in time")))
        (request,) = tick(two, instance, found.cursor).run_requests or ()
    assert request.tags[ENDS[0]] == "2026-01-02-00:00"


def test_the_same_work_is_asked_for_a_few_times_and_then_stepped_past(two: Config) -> None:
    cursor, keys = None, []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(MAX_ATTEMPTS + 1):
            found = tick(two, instance, cursor)
            cursor = found.cursor
            keys += [each.run_key for each in found.run_requests or ()]
        assert len(keys) == len(set(keys)) == 2 * MAX_ATTEMPTS, "a key that was used would start no run"
        assert f"03:00 to 2026-01-01-05:00: tried {MAX_ATTEMPTS} times" in str(found.skip_reason)
        harness.put(two, "2026-01-01/09/b.jsonl", harness.lines(harness.track(userId="late")))
        assert asked(tick(two, instance, cursor)) == [("09:00", "09:00", ["web"])], "what changed is tried again"


def test_a_span_on_which_a_run_works_is_left_to_it(two: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for request in tick(two, instance).run_requests or ():
            job = definitions(two).resolve_implicit_global_asset_job_def()
            selection = frozenset(request.asset_selection or ())
            instance.create_run_for_job(
                job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED, asset_selection=selection
            )
        found = tick(two, instance)
    assert asked(found) == []
    assert "a run works on it" in str(found.skip_reason)


def test_loads_that_are_not_done_are_asked_for_although_no_file_is_new(two: Config) -> None:
    materialized(two, "2026-01-01-03:00", "2026-01-01-09:00", assets=("web/events",))
    with dg.DagsterInstance.ephemeral() as instance:
        assert asked(tick(two, instance)) == [
            ("03:00", "05:00", ["app", "web"]),
            ("09:00", "09:00", ["web"]),
        ]


def test_a_warehouse_in_use_is_named_and_the_cursor_stays(two: Config) -> None:
    harness.run(two)
    held = "import duckdb, sys; kept = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", held, str(two.base / "warehouse.duckdb")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        other.stdout.readline()
        with dg.DagsterInstance.ephemeral() as instance:
            found = tick(two, instance, '{"first": "app"}')
        other.communicate("")
    assert found.cursor == '{"first": "app"}'
    assert "DuckDB lets one process in at a time" in str(found.skip_reason)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unknown": 1}'])
def test_a_cursor_that_cannot_be_read_is_a_new_one(two: Config, text: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(asked(tick(two, instance, text))) == 2


def test_the_cursor_bounds_the_listing_and_a_sweep_finds_what_came_late(two: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = json.loads(tick(two, instance).cursor or "")
        harness.run(two)
        harness.put(two, "2026-01-01/01/late.jsonl", harness.lines(harness.track(userId="very late")))
        assert [each[0] for each in asked(tick(two, instance, json.dumps(cursor)))] == ["04:00"], "app's, not web's"
        cursor["swept_at"]["web"] = 0.0
        assert [each[0] for each in asked(tick(two, instance, json.dumps(cursor)))] == ["01:00", "04:00"]


def test_waiting_counts_files_and_names_open_loads(two: Config) -> None:
    materialized(two, "2026-01-01-03:00", assets=("web/events",))
    found = {each.at.hour: (each.files, each.load) for each in waiting(two, "web", back=timedelta(days=7))}
    assert found == {3: (0, "shredded"), 4: (1, ""), 5: (1, ""), 9: (1, "")}


def _at(*hours: int) -> list[Waiting]:
    return [Waiting(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour), files=1) for hour in hours]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ([], []),
        ([3], [(3, 3)]),
        ([3, 4, 5, 9], [(3, 5), (9, 9)]),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [(0, 3), (4, 7), (8, 9)]),  # four to a run
        ([0, 2, 4], [(0, 0), (2, 2), (4, 4)]),
    ],
)
def test_spans_are_contiguous_and_bounded(hours: list[int], expected: list[tuple[int, int]]) -> None:
    found = spans({"web": _at(*hours)}, {"web": "hour"}, per_run=4)
    assert [(each.first.hour, each.last.hour) for each in found] == expected


def test_hours_and_days_never_share_a_span() -> None:
    found = spans({"web": _at(0), "app": _at(0)}, {"web": "hour", "app": "day"}, per_run=48)
    assert [(each.step, each.sources, each.ends[0]) for each in found] == [
        ("day", ("app",), "2026-01-01"),
        ("hour", ("web",), "2026-01-01-00:00"),
    ]
