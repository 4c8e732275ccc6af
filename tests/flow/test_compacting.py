"""Small files of a lake become one: the same rows, whoever loads meanwhile and whatever is killed."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from flow import harness, lakes
from flow.harness import lines, track
from loader.config import Config, load_config
from loader.core.objects import load_bytes
from loader.errors import ConfigError
from loader.load import compact

PATIENCE_SECONDS = 120.0
TABLES = ("web.order_completed", "web.tracks")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with six loads: three of the first of January, two of the second and one of the third."""
    folder = tmp_path_factory.mktemp("lake") / "project"
    config = lakes.lake(folder)
    for day, number in (("01", 1), ("01", 2), ("01", 3), ("02", 4), ("02", 5), ("03", 6)):
        event = track(messageId=f"m{number}", receivedAt=f"2026-01-{day}T05:10:00Z", properties={f"p{number}": number})
        harness.put(config, f"2026-01-{day}/05/{number}", lines(event))
        harness.run(config)
    return folder


@pytest.fixture
def small(filled: Path, tmp_path: Path) -> Config:
    """A copy of it, to be changed; without the events, which would be new ones."""
    shutil.copytree(filled, tmp_path / "project", ignore=shutil.ignore_patterns("events"))
    (tmp_path / "project" / "events").mkdir()
    return load_config(tmp_path / "project" / "loader.toml")


def run(config: Config) -> dict[str, tuple[int, int]]:
    """Compact; return the files of each table before and after."""
    return {each.table: (each.before, each.after) for each in compact(config, harness.Silent())}


def there(config: Config) -> set[str]:
    """Return the keys in the folders of the source's tables."""
    return {file.key for file in lakes.store(config).list("web/")}


def live(config: Config) -> set[str]:
    """Return the live keys of the source's tables."""
    return {key for name, keys in lakes.live(config).items() if name.startswith("web.") for key in keys}


def catalogue(config: Config) -> dict[str, Any]:
    """Return the newest catalogue."""
    *_, newest = lakes.store(config).list("_loader/catalogue/")
    found: dict[str, Any] = json.loads(load_bytes(lakes.store(config), newest.key) or b"")
    return found


def test_each_day_has_one_file_then_with_the_same_rows(small: Config) -> None:
    before = lakes.contents(small)
    assert run(small) == dict.fromkeys(TABLES, (5, 2))
    assert lakes.contents(small) == before
    days = sorted(key.split("/")[2] for key in lakes.live(small)["web.tracks"])
    assert days == ["day=2026-01-01", "day=2026-01-02", "day=2026-01-03"]
    assert there(small) == live(small), "whoever reads a folder finds no row twice"
    assert run(small) == {}
    assert not [key for key, _ in catalogue(small)["dropped"] if "compacted" in key]


def test_loads_go_on_after_it_and_know_what_is_there(small: Config) -> None:
    run(small)
    harness.put(small, "2026-01-01/05/again", lines(track(messageId="m1", receivedAt="2026-01-01T05:10:00Z")))
    [result] = harness.run(small)
    assert (result.rows, result.duplicates, result.conserved) == (0, 1, True)
    assert [row[0] for row in lakes.rows(small, "web.tracks", columns="id")] == [f"m{n}" for n in range(1, 7)]


def test_killed_before_its_commit_it_leaves_nothing_for_good(small: Config) -> None:
    before, rows = live(small), lakes.contents(small)
    process, deadline = harness.start(small, "compact"), time.monotonic() + PATIENCE_SECONDS
    while there(small) == before and process.poll() is None:  # until a new file is there
        assert time.monotonic() < deadline
        time.sleep(0.001)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert lakes.contents(small) == rows
    noted = {key for key, _ in catalogue(small)["dropped"]}
    assert there(small) <= live(small) | noted, "what is there is live, or noted to be deleted"
    run(small)
    assert lakes.contents(small) == rows
    assert {name: len(keys) for name, keys in lakes.live(small).items() if name in TABLES} == dict.fromkeys(TABLES, 3)


def test_what_a_killed_one_noted_is_deleted_when_its_time_is_over(small: Config) -> None:
    rest = "web/tracks/day=2026-01-01/compacted-rest.parquet"
    store, found = lakes.store(small), catalogue(small)
    store.write(rest, b"half a file")

    def noted(version: int, seconds: float) -> None:
        found["version"], found["dropped"] = version, [[rest, time.time() + seconds]]
        assert store.create(f"_loader/catalogue/{version:012}.json", json.dumps(found).encode())

    noted(found["version"] + 1, 1000.0)
    harness.put(small, "2026-01-03/06/more", lines(track(messageId="m7", receivedAt="2026-01-03T06:10:00Z")))
    harness.run(small)
    assert rest in there(small), "somebody may be writing it"
    found = catalogue(small)
    noted(found["version"] + 1, -1.0)
    harness.put(small, "2026-01-03/06/most", lines(track(messageId="m8", receivedAt="2026-01-03T06:20:00Z")))
    harness.run(small)
    assert there(small) == live(small)


def test_the_command_tells_what_became_of_each_table(small: Config) -> None:
    process = harness.start(small, "compact")
    told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert [line.split()[:3] for line in told.splitlines()[-2:]] == [[table, "5", "2"] for table in TABLES]


def test_of_two_at_once_one_is_done_and_no_row_is_lost(small: Config) -> None:
    before = lakes.contents(small)
    processes = [harness.start(small, "compact") for _ in range(2)]
    for process in processes:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said
    assert lakes.contents(small) == before
    assert there(small) == live(small)


def test_a_warehouse_that_is_no_lake_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only a lake has files to compact; duckdb takes care of its own"):
        run(harness.project(tmp_path / "project"))
