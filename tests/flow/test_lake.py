"""A lake: the same tables as a warehouse's, as files that anybody can read, whatever is killed or comes at once."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from storage import buckets

from flow import harness, lakes
from flow.harness import lines, track
from loader.config import Config
from loader.core.results import Window
from loader.core.synthetic import Shape, files
from loader.load import doctor, load, status

SHAPE = Shape(events=1_500, event_names=4, files=4, dirty=0.01, conflicts=0.01, duplicates=0.03, batches=0.02)
PATIENCE_SECONDS = 120.0
HOW: Any = {"window": Window(), "replay": False, "progress": harness.Silent()}


def filled(config: Config) -> Config:
    for key, content in files(SHAPE):
        harness.put(config, key, content, packed=False)
    return config


@pytest.fixture(scope="module")
def of_duckdb(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, ...]]:
    """What the tables of DuckDB hold after a load of the same events."""
    config = filled(harness.project(tmp_path_factory.mktemp("duckdb")))
    harness.run(config)
    return harness.fingerprints(config, without=("loaded_at", "load_id"))


def assert_settled(config: Config) -> None:
    """Assert that nothing is left of the work, and that whoever reads whole folders finds the live files only."""
    assert lakes.rows(config, "loader.loads", columns="load_id, state, conserved, error") == [
        (load_id, "done", True, None) for (load_id,) in lakes.rows(config, "loader.loads", columns="load_id")
    ]
    assert lakes.rows(config, "loader.leases") == []
    assert list(Path(config.staging.url).rglob("*.parquet")) == []
    there = {file.key for file in lakes.store(config).list("web/")}
    assert there == {key for name, keys in lakes.live(config).items() if name.startswith("web.") for key in keys}


def test_the_tables_are_those_of_duckdb_and_a_replay_changes_nothing(
    tmp_path: Path, of_duckdb: dict[str, tuple[object, ...]]
) -> None:
    config = filled(lakes.lake(tmp_path))
    [result] = harness.run(config)
    assert (result.state, result.conserved) == ("done", True)
    assert lakes.contents(config) == of_duckdb
    assert harness.run(config) == []
    [again] = harness.run(config, replay=True)
    assert (again.rows, again.state, again.conserved) == (0, "done", True)
    assert lakes.contents(config) == of_duckdb
    assert_settled(config)


def test_an_analyst_reads_folders_by_day(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path)
    for day, number in (("01", 1), ("02", 2), ("02", 3)):
        event = track(messageId=f"m{number}", receivedAt=f"2026-01-{day}T23:59:59Z", properties={"total": number})
        harness.put(config, f"2026-01-{day}/23/{number}", lines(event))
        harness.run(config)
    pattern = f"{tmp_path}/lake/web/order_completed/**/*.parquet"
    sql = f"FROM read_parquet('{pattern}', hive_partitioning = true)"
    assert lakes.asked(f"SELECT CAST(day AS VARCHAR), id, total {sql} ORDER BY ALL") == [
        ("2026-01-01", "m1", 1),
        ("2026-01-02", "m2", 2),
        ("2026-01-02", "m3", 3),
    ]
    assert lakes.asked(f"SELECT count(*) {sql} WHERE day = '2026-01-02'") == [(2,)]


def test_many_small_files_of_a_day_become_few(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path)
    for number in range(10):
        harness.put(config, f"{number:02}", lines(track(messageId=f"m{number:02}")))
        harness.run(config)
    assert [row[0] for row in lakes.rows(config, "web.tracks", columns="id")] == [f"m{n:02}" for n in range(10)]
    assert len(lakes.live(config)["web.tracks"]) <= 9
    assert len(lakes.live(config)["loader.files"]) <= 9
    assert len(list(lakes.store(config).list("_loader/catalogue/"))) <= 20
    assert_settled(config)


@pytest.mark.parametrize("reached", [5])  # tables are made, none is merged
def test_killed_after_a_commit_the_next_run_continues(
    reached: int, tmp_path: Path, of_duckdb: dict[str, tuple[object, ...]]
) -> None:
    config = filled(lakes.lake(tmp_path))
    process, deadline = harness.start(config), time.monotonic() + PATIENCE_SECONDS
    catalogue = tmp_path / "lake" / "_loader" / "catalogue" / f"{reached:012}.json"
    while not catalogue.exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    harness.command(config, code=0)
    assert lakes.contents(config) == of_duckdb
    assert_settled(config)


def test_files_of_a_load_that_died_before_its_commit_are_written_over(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path)
    harness.put(config, "a", lines(track(messageId="m1")))
    harness.run(config)
    before = lakes.live(config)
    *_, newest = lakes.store(config).list("_loader/catalogue/")
    harness.put(config, "b", lines(track(messageId="m2")))
    harness.run(config)
    # As if it had died after its last file and before its first catalogue: its files are there, and no more.
    later = [file.key for file in lakes.store(config).list("_loader/catalogue/", after=newest.key)]
    orphans = {key for keys in lakes.live(config).values() for key in keys} - {k for ks in before.values() for k in ks}
    lakes.store(config).delete(later)
    assert any("web/order_completed/day=" in key for key in orphans)
    harness.run(config)
    assert lakes.rows(config, "web.order_completed", columns="id") == [("m1",), ("m2",)]
    assert_settled(config)


def test_two_sources_at_once_lose_nothing(tmp_path: Path) -> None:
    more = "\n".join(f'[sources.s{n}]\nurl = "events"\nlayout = "{harness.LAYOUT}"' for n in range(3))
    config = lakes.lake(tmp_path, source=more)
    for number in range(12):
        harness.put(config, f"{number}", lines(track(messageId=f"m{number}")))
    with ThreadPoolExecutor(4) as pool:  # each opens the lake for itself, as a process would
        loaded = pool.map(lambda name: load(config, name, **HOW), ("web", "s0", "s1", "s2"))
        assert {result.state for results in loaded for result in results} == {"done"}
    for name in ("web", "s0", "s1", "s2"):
        assert len(lakes.rows(config, f"{name}.tracks")) == 12
    assert_settled(config)
    found = status(config)
    assert (found.events, found.unaccounted, len(found.loads)) == (48, 0, 4)
    assert len(lakes.rows(config, "loader.files")) == 48
    assert len(lakes.rows(config, "loader.load_tables")) == 8


def test_two_loads_of_one_source_take_turns(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path)
    for number in range(6):
        harness.put(config, f"{number}", lines(track(messageId=f"m{number}")))
    with ThreadPoolExecutor(2) as pool:
        assert sorted(len(results) for results in pool.map(lambda _: harness.run(config), range(2))) == [0, 1]
    assert len(lakes.rows(config, "web.tracks")) == 6
    assert len(lakes.rows(config, "loader.loads")) == 1
    assert_settled(config)


def test_the_doctor_tries_it_and_leaves_nothing(tmp_path: Path) -> None:
    config = lakes.lake(tmp_path)
    harness.put(config, "a", lines(track()))
    assert [(check.name, check.detail) for check in doctor(config).checks if not check.ok] == []
    assert [name for name in lakes.live(config) if not name.startswith("loader.")] == []


@pytest.mark.parametrize("kind", ["gs"])  # the stores are alike: tests/storage
def test_in_a_bucket_it_is_the_same(kind: str, tmp_path: Path, of_duckdb: dict[str, tuple[object, ...]]) -> None:
    with buckets.running(kind, tmp_path) as service:
        url = f"{kind}://{buckets.NAME}/lake"
        config = filled(lakes.lake(tmp_path, url=url, access=f"access = {service.toml()}"))
        [result] = harness.run(config)
        assert (result.state, result.conserved) == ("done", True)
        assert lakes.contents(config) == of_duckdb
        assert harness.run(config) == []
        assert_settled(config)
