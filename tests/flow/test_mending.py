"""`abandon` and `replay_quarantine`: a load given up, and files tried again after a fix."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from flow.harness import (
    Silent,
    database,
    lines,
    put,
    query,
    rows,
    run,
    tables,
    track,
)
from loader.config import Config
from loader.core.results import LoadResult
from loader.errors import ConfigError
from loader.load import abandon, quarantine, replay_quarantine, status

Project = Callable[..., Config]
A, B = "2026-01-01/05/a.gz", "2026-01-01/05/b.gz"


def order(number: int, **properties: object) -> dict[str, object]:
    return track("Order Completed", messageId=f"m{number}", properties=properties)


def stuck(config: Config) -> LoadResult:
    """Return a load that stays open: one of its two tables takes no row of ours."""
    put(config, "a.gz", lines(order(1), track("Other", messageId="m2")))
    with duckdb.connect(database(config)) as connection:
        connection.execute("CREATE SCHEMA web; CREATE TABLE web.order_completed (id INTEGER, event_text VARCHAR)")
    [result] = run(config)
    assert result.state == "loading"
    return result


def freed(config: Config) -> None:
    with duckdb.connect(database(config)) as connection:
        connection.execute("DROP TABLE web.order_completed")


def replayed(config: Config) -> list[LoadResult]:
    return replay_quarantine(config, "web", progress=Silent())


def test_files_of_an_abandoned_load_are_new_again_and_its_rows_are_not_loaded_twice(project: Project) -> None:
    config = project()
    result = stuck(config)
    assert len(list(Path(config.staging.url).rglob("*.parquet"))) > 0
    assert abandon(config, result.load_id) == 1
    assert list(Path(config.staging.url).rglob("*.parquet")) == []
    assert status(config).sources[0].pending_files == 1
    freed(config)
    [again] = run(config)
    assert (again.state, again.conserved, again.resumed) == ("done", True, False)
    assert [len(rows(config, table)) for table in ("tracks", "order_completed", "other")] == [2, 1, 1]


def test_a_load_that_goes_on_in_another_schema_is_whole_there(project: Project) -> None:
    config = project()
    assert stuck(config).rows == 1
    moved = project(source='schema = "moved"')
    [result] = run(moved)
    assert (result.resumed, result.state, result.rows, result.conserved) == (True, "done", 2, True)
    assert sorted(query(config, "SELECT id FROM moved.tracks")) == [("m1",), ("m2",)]
    assert query(config, "SELECT id FROM moved.other UNION ALL SELECT id FROM moved.order_completed ORDER BY 1") == [
        *[("m1",), ("m2",)]
    ]


def test_abandoning_twice_releases_nothing_more(project: Project) -> None:
    config = project()
    result = stuck(config)
    assert abandon(config, result.load_id) == 1
    assert abandon(config, result.load_id) == 0


def test_a_load_that_is_done_or_unknown_cannot_be_abandoned(project: Project) -> None:
    config = project()
    with pytest.raises(ConfigError, match="load 'x' is unknown, so there is nothing to give up; open loads are: none"):
        abandon(config, "x")
    stays = stuck(config).load_id
    with pytest.raises(ConfigError, match=f"load 'x' is unknown.*open loads are: {stays}"):
        abandon(config, "x")
    freed(config)
    [done] = run(config)
    assert (done.load_id, done.state) == (stays, "done")
    with pytest.raises(ConfigError, match=f"load '{stays}' is done"):
        abandon(config, stays)
    assert query(config, "SELECT count(*) FROM loader.leases") == [(0,)]


def test_a_replay_brings_back_what_can_be_read_now_and_nothing_twice(project: Project) -> None:
    config = project(source='max_line_bytes = "300B"')
    long = order(2, note="x" * 400)
    put(config, "a.gz", lines(order(1), long, "not json"))
    put(config, "b.gz", lines(order(3)))
    run(config)
    assert [(each.file, each.line, each.reason) for each in quarantine(config, limit=9)] == [
        (A, 2, "line_too_long"),
        (A, 3, "not_json"),
    ]
    fixed = project(source='max_line_bytes = "1MB"')
    [result] = replayed(fixed)
    assert (result.replay, result.files, result.rows, result.duplicates, result.quarantined) == (True, 1, 1, 1, 1)
    assert result.conserved
    assert [each["id"] for each in rows(fixed, "order_completed")] == ["m1", "m2", "m3"]
    assert [(each.load_id, each.line) for each in quarantine(fixed, limit=9)] == [(result.load_id, 3)]


def test_a_second_replay_changes_no_table(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1), "not json"))
    run(config)
    before = tables(config)
    assert [each.rows for each in (*replayed(config), *replayed(config))] == [0, 0]
    assert tables(config) == before
    assert len(quarantine(config, limit=9)) == 1
    assert status(config).unaccounted == 0


def test_a_file_quarantined_whole_is_loaded_once_it_is_mended(project: Project) -> None:
    config = project()
    whole = put(config, "a.gz", lines(order(1), order(2))).read_bytes()
    put(config, "a.gz", whole[:-9], packed=False)
    run(config)
    put(config, "a.gz", whole, packed=False)
    [result] = replayed(config)
    assert (result.rows, result.problems) == (2, ())
    assert quarantine(config, limit=9) == []
    assert run(config) == []
    assert replayed(config) == []


def test_a_file_that_is_gone_stays_in_the_quarantine_and_is_told(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines("not json"))
    run(config)
    (Path(config.sources["web"].url) / A).unlink()
    told = Silent()
    assert replay_quarantine(config, "web", progress=told) == []
    assert told.notes == [f"web: {A} is gone; what it had in the quarantine stays there"]
    assert len(quarantine(config, limit=9)) == 1


def test_without_a_quarantine_nothing_is_replayed(project: Project) -> None:
    config = project()
    put(config, "a.gz", lines(order(1)))
    run(config)
    assert replayed(config) == []
