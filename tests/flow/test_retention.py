"""How long the parts of a finished load stay: `keep_days`, by the ledger's clock."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flow.harness import Silent, change, lines, put, run, track
from loader.config import Config
from loader.core.objects import Store
from loader.core.results import Window
from loader.load import load
from loader.load.retention import expired
from loader.storage import connect

Project = Callable[..., Config]
NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
WEEK = '[staging]\nkeep_days = 7\n[sources.app]\nurl = "events"'


@pytest.mark.parametrize(
    ("ages", "keep", "expected"),
    [
        ({}, 7 * DAY, []),
        ({"a": 7 * DAY - SECOND}, 7 * DAY, []),
        ({"a": 7 * DAY}, 7 * DAY, ["a"]),
        ({"a": 8 * DAY, "b": DAY, "c": 9 * DAY}, 7 * DAY, ["c", "a"]),
        ({"a": 0 * DAY}, 0 * DAY, ["a"]),
        ({"a": -DAY}, 0 * DAY, []),  # done on a machine whose clock is ahead
    ],
)
def test_a_load_expires_once_it_has_been_done_for_so_long(
    ages: Mapping[str, timedelta], keep: timedelta, expected: list[str]
) -> None:
    assert expired({load_id: NOW - age for load_id, age in ages.items()}, keep=keep, now=NOW) == expected


def staging(config: Config) -> Store:
    return connect(config.staging.url, base=config.base)


def kept(config: Config) -> set[str]:
    """Return the loads that have parts in staging."""
    return {file.key.split("/")[2] for file in staging(config).list("loads/web/")}


def loaded(config: Config, name: str) -> str:
    put(config, name, lines(track(messageId=name)))
    [result] = run(config)
    return result.load_id


def made_older(config: Config, load_id: str, days: int) -> None:
    change(
        config, f"UPDATE loader.loads SET finished_at = finished_at - INTERVAL {days} DAY WHERE load_id = ?", [load_id]
    )


def test_the_parts_of_a_load_stay_for_keep_days_and_no_longer(project: Project) -> None:
    config = project(source=WEEK)
    old, young = loaded(config, "a.gz"), loaded(config, "b.gz")
    made_older(config, old, 8)
    made_older(config, young, 6)
    assert kept(config) == {old, young}
    new = loaded(config, "c.gz")
    assert kept(config) == {young, new}


def test_a_run_that_finds_nothing_to_load_deletes_them_too(project: Project) -> None:
    config = project(source=WEEK)
    made_older(config, loaded(config, "a.gz"), 8)
    assert run(config) == []
    assert kept(config) == set()
    assert run(config) == []


def test_parts_of_open_loads_of_other_loads_and_of_other_sources_stay(project: Project) -> None:
    config = project(source=WEEK)
    mine, opened = loaded(config, "a.gz"), loaded(config, "b.gz")
    made_older(config, mine, 8)
    made_older(config, opened, 8)
    change(config, "UPDATE loader.loads SET state = 'abandoned' WHERE load_id = ?", [opened])
    for key in (f"loads/app/{mine}/a.parquet", "loads/web/unknown/a.parquet", "mine.parquet"):
        staging(config).write(key, b"")
    run(config)
    assert kept(config) == {opened, "unknown"}
    assert {f"loads/app/{mine}/a.parquet", "mine.parquet"} <= {file.key for file in staging(config).list()}


def test_what_a_crash_left_of_a_done_load_is_deleted_where_nothing_is_kept(project: Project) -> None:
    config = project()
    staging(config).write(f"loads/web/{loaded(config, 'a.gz')}/left.parquet", b"")
    assert run(config) == []
    assert kept(config) == set()


def test_parts_that_cannot_be_deleted_are_told_and_stop_no_load(project: Project) -> None:
    config, told = project(), Silent()
    put(config, "a.gz", lines(track()))
    unnameable = Path(config.staging.url) / "loads" / "web" / "old" / os.fsdecode(b"\xff")
    unnameable.parent.mkdir(parents=True)
    unnameable.touch()
    [result] = load(config, "web", window=Window(), replay=False, progress=told)
    assert (result.state, result.failed) == ("done", False)
    [note] = told.notes
    assert note.startswith("web: parts of older loads are not deleted yet, the next run tries again: ")
