"""`<source>/events` and `<source>/loads` on real files: what each partition says, in one run or over several."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest
from flow import harness

from loader.config import Config
from ui.running import START, checks, counts, definitions, failure, materializations, materialized

DAILY = '[sources.app]\nurl = "app"\nlayout = "{yyyy}-{mm}-{dd}/"\npartition = "day"\n'
FIVE, SIX, SEVEN, EIGHT = (f"2026-01-01-0{hour}:00" for hour in (5, 6, 7, 8))
ZERO = {"files": 0, "events": 0, "quarantined": 0}
KEPT = "workers = 1\n[staging]\nkeep_days = 30\n"


@pytest.fixture
def web(project: Callable[..., Config]) -> Config:
    """Three hours of events: two in the first, one of them sent again in the second, and one in the fourth."""
    config = project(source=DAILY + START, load=KEPT)
    first, second = harness.track(userId="a"), harness.track(userId="b", properties={"total": 3})
    harness.put(config, "2026-01-01/05/a.jsonl", harness.lines(first, second))
    harness.put(config, "2026-01-01/06/a.jsonl", harness.lines(second))
    harness.put(config, "2026-01-01/08/a.jsonl", harness.lines(harness.track("Signed Up")))
    return config


def test_every_source_has_two_assets_by_hour_or_by_day(web: Config) -> None:
    defs = definitions(web)
    dg.Definitions.validate_loadable(defs)
    found = {spec.key.to_user_string(): spec.partitions_def for spec in defs.resolve_all_asset_specs()}
    hours = dg.HourlyPartitionsDefinition("2026-01-01-00:00", timezone="UTC", end_offset=1)
    days = dg.DailyPartitionsDefinition("2026-01-01", timezone="UTC", end_offset=1)
    assert {key: each for key, each in found.items() if each} == {
        **dict.fromkeys(("web/events", "web/loads"), hours),
        **dict.fromkeys(("app/events", "app/loads"), days),
    }


def test_an_hour_loads_its_files_and_no_others(web: Config) -> None:
    result = materialized(web, FIVE)
    assert result.success
    assert counts(result, "web/events") == {FIVE: {"files": 1, "events": 2, "quarantined": 0}}
    told = materializations(result, "web/loads")[FIVE]
    assert (told["rows_of_its_loads"], told["dagster/partition_row_count"]) == (2, 2)
    assert "create web.order_completed" in told["schema_changes"]
    assert len(harness.rows(web, "order_completed")) == 2
    assert checks(result) == {"few_rejects": True, "every_event_is_accounted_for": True, "schema_is_unchanged": False}


def test_a_range_is_one_load_that_tells_the_facts_of_each_hour_and_of_the_empty_one(web: Config) -> None:
    result = materialized(web, FIVE, EIGHT)
    assert result.success
    assert counts(result, "web/events") == {
        FIVE: {"files": 1, "events": 2, "quarantined": 0},
        SIX: {"files": 1, "events": 1, "quarantined": 0},
        SEVEN: ZERO,
        EIGHT: {"files": 1, "events": 1, "quarantined": 0},
    }
    told = counts(result, "web/loads")
    assert list(told) == [FIVE, SIX, SEVEN, EIGHT]
    assert (told[FIVE]["rows_of_its_loads"], told[SEVEN]["rows_of_its_loads"]) == (3, 0)
    assert harness.query(web, "SELECT count(*), sum(files) FROM loader.loads") == [(1, 3)]


def test_a_day_is_a_partition_too(web: Config) -> None:
    path = web.base / "app" / "2026-01-02" / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(harness.lines(harness.track()))
    result = materialized(web, "2026-01-01", "2026-01-02", assets=("app/events", "app/loads"))
    assert [each["events"] for each in counts(result, "app/loads").values()] == [0, 1]


def test_an_hour_that_is_loaded_says_again_what_it_holds_and_adds_nothing(web: Config) -> None:
    materialized(web, FIVE)
    result = materialized(web, FIVE)
    assert counts(result, "web/loads") == {FIVE: {"files": 1, "events": 2, "quarantined": 0, "rows_of_its_loads": 0}}
    assert len(harness.rows(web, "order_completed")) == 2


def test_a_damaged_file_fails_its_hour_alone_and_says_why(web: Config) -> None:
    harness.put(web, "2026-01-01/06/b.jsonl", b"\x1f\x8b\x08 cut short", packed=False)
    result = materialized(web, FIVE, EIGHT)
    assert not result.success
    assert list(counts(result, "web/events")) == [FIVE, SEVEN, EIGHT]
    assert list(counts(result, "web/loads")) == [FIVE, SIX, SEVEN, EIGHT], "what could be read of the hour is loaded"
    assert f"1 partition failed, all others are done: `web/events` {SIX}: 2026-01-01/06/b.jsonl: " in failure(result)


def test_a_damaged_file_fails_its_hour_until_it_is_replaced(web: Config) -> None:
    path = harness.put(web, "2026-01-01/06/b.jsonl", b"\x1f\x8b\x08 cut short", packed=False)
    assert not materialized(web, SIX).success
    assert not materialized(web, SIX).success, "nothing is new, and nothing is better"
    path.unlink()
    harness.put(web, "2026-01-01/06/b.jsonl", harness.lines(harness.track("Signed Up", userId="z")))
    result = materialized(web, SIX)
    assert result.success
    assert counts(result, "web/events") == {SIX: {"files": 2, "events": 2, "quarantined": 0}}


def test_an_hour_with_too_many_rejects_is_held_back_and_holds_back_no_other(web: Config) -> None:
    harness.put(web, "2026-01-01/07/a.jsonl", harness.lines(harness.track(userId="q"), "secret of ann@example.com"))
    result = materialized(web, FIVE, EIGHT)
    assert list(counts(result, "web/loads")) == [FIVE, SIX, EIGHT]
    assert f"`web/loads` {SEVEN}: held back: 50.0% of the events of 2026-01-01 07:00 were quarantined" in failure(
        result
    )
    assert checks(result)["few_rejects"] is False
    assert harness.query(web, "SELECT state, files FROM loader.loads WHERE state <> 'abandoned' ORDER BY 1") == [
        ("done", 3),
        ("shredded", 1),
    ]
    told = materializations(result, "web/events")[SEVEN]["bad_input"]
    assert "not_json" in told
    assert "ann" not in told
    assert "`xxxxxx xx xxx@xxxxxxx.xxx`" in told


def test_what_is_held_back_is_loaded_when_a_person_accepts_it(web: Config) -> None:
    harness.put(web, "2026-01-01/07/a.jsonl", harness.lines(harness.track(userId="q"), "no event"))
    assert not materialized(web, SEVEN).success
    accepted = {"ops": {"web_ingest": {"config": {"accept_rejects": True}}}}
    result = materialized(web, SEVEN, assets=("web/loads",), run_config=accepted)
    assert result.success
    assert counts(result, "web/loads") == {SEVEN: {"files": 1, "events": 2, "quarantined": 1, "rows_of_its_loads": 1}}


def test_conversion_alone_leaves_the_tables_as_they_are_and_is_not_repeated(web: Config) -> None:
    assert materialized(web, FIVE, EIGHT, assets=("web/events",)).success
    assert harness.columns(web) == {}
    for path in (web.base / "events").rglob("*.jsonl"):
        path.unlink()
    result = materialized(web, FIVE, EIGHT, assets=("web/loads",))
    assert result.success
    assert len(harness.rows(web, "order_completed")) == 2


def test_loads_alone_say_what_is_not_read_yet_only_of_claimed_files(web: Config) -> None:
    result = materialized(web, FIVE, assets=("web/loads",))
    assert counts(result, "web/loads") == {FIVE: {**ZERO, "rows_of_its_loads": 0}}


def test_a_backfill_of_loads_alone_brings_back_rows_without_reading_files(web: Config) -> None:
    materialized(web, FIVE, EIGHT)
    before = harness.fingerprints(web, without=("loaded_at", "load_id"))
    harness.change(web, "DELETE FROM web.order_completed")
    harness.change(web, "DELETE FROM web.tracks")
    for path in (web.base / "events").rglob("*.jsonl"):
        path.unlink()
    result = materialized(web, FIVE, EIGHT, assets=("web/loads",))
    assert result.success
    assert harness.fingerprints(web, without=("loaded_at", "load_id")) == before
    assert harness.query(web, "SELECT kind, state, conserved FROM loader.loads ORDER BY created_at") == [
        ("load", "done", True),
        ("reload", "done", True),
    ]


def test_an_hour_is_done_with_a_load_that_another_hour_began(web: Config) -> None:
    materialized(web, FIVE, EIGHT, assets=("web/events",))
    result = materialized(web, SIX, assets=("web/loads",))
    assert sorted(str(each) for each in counts(result, "web/loads")) == [FIVE, SIX, EIGHT]


def test_what_stops_a_load_is_said_in_the_run(web: Config) -> None:
    defs = definitions(web)
    (web.base / "loader.toml").write_text("[sources.other]\nurl = 'events'\n")
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        partition_key=FIVE, asset_selection=[dg.AssetKey(["web", "events"])], raise_on_error=False
    )
    assert "there is no source 'web' in the configuration" in failure(result)


def test_the_run_is_tagged_with_what_a_person_looks_for(web: Config) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        materialized(web, FIVE, EIGHT, instance=instance)
        (run,) = instance.get_runs()
    assert run.tags["sources"] == "web"
    assert run.tags["received"] == "2026-01-01 05:00 +4h"


def test_the_numbers_of_an_hour_are_there_to_be_plotted(web: Config) -> None:
    told = materializations(materialized(web, FIVE), "web/loads")[FIVE]
    assert told["bytes"] > 0
    assert told["lag_seconds"] >= 0
    assert told["newest_file_at"] <= datetime.now(UTC).timestamp()
