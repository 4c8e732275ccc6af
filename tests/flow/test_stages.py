"""The flow in two halves: what one half leaves, the other half or a whole load takes up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flow import harness
from loader.config import Config
from loader.core.results import Stage, Window
from loader.load import convert, listed_tables, merge, table_facts
from loader.load.catalog import list_tables
from loader.load.samples import masked


def hour(number: int) -> Window:
    start = datetime(2026, 1, 1, number, tzinfo=UTC)
    return Window(start, start + timedelta(hours=1))


def converted(config: Config, window: Window, *, max_rejects: float = 1.0) -> list[Stage]:
    return convert(config, "web", window=window, replay=False, max_rejects=max_rejects, progress=harness.Silent())


def merged(config: Config, window: Window, *, reload: bool = False) -> list[Stage]:
    return merge(config, "web", window=window, reload=reload, max_rejects=None, progress=harness.Silent())


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Two hours in which a property is first a number and then words."""
    config = project()
    five = [harness.track(userId=str(number), properties={"total": number}) for number in range(3)]
    six = [harness.track(userId=f"six {word}", properties={"total": word}) for word in ("7", "many")]
    harness.put(config, "2026-01-01/05/a.jsonl", harness.lines(*five))
    harness.put(config, "2026-01-01/06/a.jsonl", harness.lines(*six))
    return config


def test_a_whole_load_goes_on_where_conversion_stopped(web: Config) -> None:
    (stage,) = converted(web, Window())
    assert (stage.state, [each.hour for each in stage.partitions]) == ("shredded", [5, 6])
    (result,) = harness.run(web)
    assert (result.load_id, result.resumed, result.state, result.rows) == (stage.load_id, True, "done", 5)
    harness.assert_settled(web)


def test_parts_that_tables_no_longer_take_are_made_again(web: Config) -> None:
    converted(web, hour(5))
    converted(web, hour(6))  # knows nothing yet of the column that the first will make
    merged(web, hour(5))
    (stage,) = merged(web, hour(6))
    assert stage.state == "done"
    assert harness.columns(web)["order_completed"]["total"] == "BIGINT"
    assert {row["total"] for row in harness.rows(web, "order_completed")} == {0, 1, 2, 7, None}
    assert {(each[2], each[3], each[4]) for each in harness.rejects(web)} == {("total", '"many"', "not_integer")}
    harness.assert_settled(web)


SECRET = 'events = { exclude = ["Secret"] }'


def test_parts_that_were_made_by_other_settings_are_made_again(project: Callable[..., Config]) -> None:
    config = project()
    harness.put(config, "a.jsonl", harness.lines(harness.track("Secret"), harness.track("Open")))
    converted(config, Window())
    (result,) = harness.run(project(source=SECRET))
    assert (result.resumed, result.rows, result.filtered, result.conserved) == (True, 1, 1, True)
    assert sorted(harness.tables(config)) == ["open", "tracks"]
    harness.assert_settled(config)


def test_projects_that_share_staging_and_files_share_no_parts(tmp_path: Path) -> None:
    shared = 'workers = 1\n[staging]\nurl = "../staging"'
    one, other = (
        harness.project(tmp_path / name, source=source, load=shared) for name, source in (("a", SECRET), ("b", ""))
    )
    (tmp_path / "b" / "events").rmdir()
    (tmp_path / "b" / "events").symlink_to(tmp_path / "a" / "events")
    harness.put(one, "a.jsonl", harness.lines(harness.track("Secret"), harness.track("Open")))
    converted(one, Window())
    assert [(each.rows, each.filtered) for each in harness.run(other)] == [(2, 0)]
    assert [(each.resumed, each.rows, each.filtered) for each in harness.run(one)] == [(True, 1, 1)]


def test_hours_may_be_merged_in_any_order(web: Config) -> None:
    converted(web, Window())
    assert [stage.state for stage in merged(web, hour(6))] == ["done"]
    assert merged(web, hour(5)) == []
    assert len(harness.rows(web, "order_completed")) == 5


def test_a_window_touches_no_load_of_other_hours(web: Config) -> None:
    converted(web, hour(5))
    converted(web, hour(6))
    assert [stage.partitions[0].hour for stage in merged(web, hour(6))] == [6]
    assert harness.query(web, "SELECT state FROM loader.loads ORDER BY partition_from") == [("shredded",), ("done",)]


def test_bad_hours_are_set_apart_once_and_everything_is_still_counted(web: Config) -> None:
    harness.put(web, "2026-01-01/07/a.jsonl", harness.lines("no event", harness.track(userId="seven")))
    stages = converted(web, Window(), max_rejects=0.2)
    assert [[each.hour for each in stage.partitions] for stage in stages] == [[5, 6], [7]]
    assert converted(web, Window(), max_rejects=0.2) == []
    merged(web, Window())
    assert harness.sums(web) | {"events": 7, "quarantined": 1, "rows": 6} == harness.sums(web)
    harness.query(web, "SELECT 1")
    assert harness.query(web, "SELECT count(*) FROM loader.loads WHERE state = 'abandoned'") == [(1,)]


def test_a_reload_of_deleted_parts_does_nothing(web: Config) -> None:
    harness.run(web)
    assert merged(web, Window(), reload=True) == []


def test_the_list_of_tables_is_written_when_it_changed(web: Config) -> None:
    assert listed_tables(web, "web") == ()
    harness.run(web)
    assert (list_tables(web, "web"), list_tables(web, "web")) == (True, False)
    assert listed_tables(web, "web") == ("order_completed", "tracks")


@pytest.mark.parametrize("content", [b"", b"{", b'{"tables": 7}', b"\xff\xfe"])
def test_a_broken_list_of_tables_is_an_empty_one(web: Config, content: bytes) -> None:
    path = web.base / "staging" / "tables" / "web.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert listed_tables(web, "web") == ()


def test_facts_of_tables_come_from_the_ledger(web: Config) -> None:
    harness.run(web)
    (fact,) = table_facts(web, "web", tables=["order_completed", "nothing_like_it"])
    assert (fact.schema, fact.table, fact.rows) == ("web", "order_completed", 5)
    assert ("total", "json", "properties.total") not in fact.columns
    assert ("total", "string", "properties.total") in fact.columns
    assert fact.changed_at is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"track","userId":"ann@example.com"}', '{"type":"track","userId":"xxx@xxxxxxx.xxx"}'),
        ('{"email": "bö@x.de", "total": 12.50}', '{"xxxxx": "xx@x.xx", "xxxxx": 99.99}'),
        ("4111 1111 1111 1111", "9999 9999 9999 9999"),
        ("x" * 200, "x" * 160 + "…"),
    ],
)
def test_samples_hide_all_that_may_be_about_a_person(text: str, expected: str) -> None:
    assert masked(text) == expected
