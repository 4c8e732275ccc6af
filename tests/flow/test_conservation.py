"""Every event of the input is accounted for: the ledger's sums against a count of our own, and what a replay does."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flow import harness
from flow.harness import lines, track
from loader.config import Config
from loader.core.results import Window
from loader.core.synthetic import Shape, files

SHAPES = {
    "clean": Shape(events=1_000, event_names=3, files=3, duplicates=0),
    "dirty": Shape(events=1_000, event_names=3, files=3, dirty=0.2),
    "in batches": Shape(events=1_000, event_names=3, files=3, batches=0.6, dirty=0.02),
    "sent twice": Shape(events=1_000, event_names=3, files=3, duplicates=0.5),
    "contradicting": Shape(events=1_000, event_names=3, files=3, conflicts=0.4),
    "late": Shape(events=1_000, event_names=3, files=30, days=9, late=0.5, duplicates=0.1),
    "of everything": Shape(events=1_000, event_names=3, files=3, duplicates=0.1, dirty=0.1, conflicts=0.1, batches=0.1),
}  # fmt: skip
OURS = ("loaded_at", "load_id")
ALWAYS = Window(None, None)


def generated(config: Config, shape: Shape) -> None:
    for key, content in files(shape):
        harness.put(config, f"{key}.gz", content)


def counted(config: Config) -> tuple[int, int]:
    """Return the lines and the events of the input: an envelope has as many as elements, anything else is one."""
    found_lines = found_events = 0
    for path in Path(config.sources["web"].url).rglob("*.gz"):
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            if line.strip():
                found_lines += 1
                found_events += events_of(line)
    return found_lines, found_events


def events_of(line: bytes) -> int:
    try:
        value = json.loads(line)
    except ValueError:
        return 1
    if isinstance(value, dict) and isinstance(value.get("batch"), list) and "type" not in value:
        return max(len(value["batch"]), 1)
    return 1


@pytest.mark.parametrize("shape", SHAPES)
def test_every_event_is_accounted_for(shape: str, project: Callable[..., Config]) -> None:
    config = project(source='events = { exclude = ["page"] }')
    generated(config, SHAPES[shape])
    results = harness.run(config)
    assert all(result.conserved for result in results)
    sums = harness.sums(config)
    assert (sums["lines"], sums["events"]) == counted(config)
    assert sums["events"] == sums["rows"] + sums["duplicates"] + sums["filtered"] + sums["quarantined"]
    tables = harness.columns(config).keys() - {"tracks", "users", "accounts"}
    stored = sum(harness.query(config, f'SELECT count(*) FROM web."{table}"')[0][0] for table in tables)
    assert sums["rows"] == stored
    assert sums["quarantined"] == harness.quarantine(config).total()
    assert sums["rejects"] == harness.rejects(config).total()
    assert harness.query(config, "SELECT sum(events), sum(quarantined) FROM loader.files")[0] == (
        sums["events"],
        sums["quarantined"],
    )
    assert harness.query(config, "SELECT sum(unaccounted), sum(events) FROM loader.conservation") == [
        (0, sums["events"])
    ]
    harness.assert_settled(config)


def test_the_tracks_have_one_row_for_each_event_table_row(project: Callable[..., Config]) -> None:
    config = project()
    generated(config, SHAPES["of everything"])
    harness.run(config)
    names = harness.columns(config).keys() - {
        "tracks",
        "users",
        "accounts",
        "identifies",
        "pages",
        "screens",
        "groups",
        "aliases",
    }
    union = " UNION ALL ".join(f'SELECT id, received_at, event FROM web."{name}"' for name in names)
    assert harness.query(config, f"({union}) EXCEPT ALL SELECT id, received_at, event FROM web.tracks") == []
    assert harness.query(config, f"SELECT id, received_at, event FROM web.tracks EXCEPT ALL ({union})") == []


def test_a_replay_changes_nothing(project: Callable[..., Config]) -> None:
    config = project()
    generated(config, SHAPES["of everything"])
    harness.run(config)
    before = harness.fingerprints(config), harness.rejects(config), harness.quarantine(config)
    for _ in range(2):
        [result] = harness.run(config, window=ALWAYS, replay=True)
        assert (result.replay, result.rows, result.conserved, result.changes) == (True, 0, True, ())
        assert (harness.fingerprints(config), harness.rejects(config), harness.quarantine(config)) == before
        harness.assert_settled(config)


def test_a_replay_of_a_window_reads_only_its_files(project: Callable[..., Config]) -> None:
    config = project()
    generated(config, SHAPES["late"])
    harness.run(config)
    before = harness.fingerprints(config)
    window = Window(*(harness.HOUR_AT.replace(day=day, hour=0) for day in (3, 5)))
    [result] = harness.run(config, window=window, replay=True)
    assert (result.files, result.rows, result.duplicates) == (7, 0, result.events)
    assert harness.fingerprints(config) == before


GONE = [  # what was deleted by hand
    ("some rows of the events", ["tracks", "product_viewed", "order_completed"], "hash(id) % 3 = 0"),
    ("all rows of a table", ["pages"], "true"),
    ("people and what they said", ["identifies", "users"], "true"),
    ("groups and their accounts", ["groups", "accounts"], "true"),
    ("some people, but not what they said", ["users"], "hash(id) % 2 = 0"),
]


@pytest.mark.parametrize(("tables", "which"), [each[1:] for each in GONE], ids=[each[0] for each in GONE])
def test_a_replay_brings_back_rows_that_were_deleted_by_hand(
    tables: list[str], which: str, project: Callable[..., Config]
) -> None:
    config = project()
    generated(config, SHAPES["of everything"])
    harness.run(config)
    before = harness.fingerprints(config, without=OURS)
    for table in tables:
        harness.change(config, f"DELETE FROM web.{table} WHERE {which}")
    assert harness.fingerprints(config, without=OURS) != before
    [result] = harness.run(config, window=ALWAYS, replay=True)
    assert result.conserved
    assert harness.fingerprints(config, without=OURS) == before


def test_a_replay_after_a_change_of_the_settings_fills_what_was_left_out(project: Callable[..., Config]) -> None:
    sent: list[dict[str, Any]] = [
        track(name, messageId=f"{name} {n}") for name in ("Taken", "Left Out") for n in range(5)
    ]
    config = project(source='events = { exclude = ["Left*"] }')
    harness.put(config, "a.jsonl.gz", lines(*sent))
    [first] = harness.run(config)
    config = project()
    [then] = harness.run(config, window=ALWAYS, replay=True)
    assert (first.rows, first.filtered, then.rows, then.duplicates) == (5, 5, 5, 5)
    assert len(harness.rows(config, "left_out")) == 5
