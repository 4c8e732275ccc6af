"""Very many keys and very many event names: memory stays bounded, and nothing is lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cli.running import environment

from flow import harness
from flow.harness import lines, track
from loader.config import Config

MIB = 1 << 20
KEYS = 20_000
NAMES = 500  # of the 5,000 that the issue asks for: each costs two transactions of its own, about 30 ms

SHAPES: dict[str, list[dict[str, Any]]] = {
    "in one event": [{f"key {n}": n for n in range(KEYS)}],
    "ten to an event": [{f"key {n}": n for n in range(first, first + 10)} for first in range(0, KEYS, 10)],
    "in nested objects": [{f"key {n}": {f"part {m}": n + m for m in range(100)} for n in range(0, KEYS, 100)}],
}


# A process begins with the peak of the one that started it (the kernel keeps it over `exec`): a small one is between.
STARTER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_of(config: Config) -> int:
    """Load with the real command, and return the bytes that its largest process needed at most."""
    starter = [sys.executable, "-I", "-S", "-c", STARTER, sys.executable, "-m", "loader", "load", "--json"]
    done = subprocess.run(
        starter, cwd=config.base, env=environment(), check=True, text=True, stdout=subprocess.PIPE, timeout=600
    )
    return int(done.stdout.splitlines()[-1]) * 1024


@pytest.mark.parametrize("shape", SHAPES)
def test_20000_keys_fill_the_table_and_then_one_column(shape: str, project: Callable[..., Config]) -> None:
    config = project()
    events = SHAPES[shape]
    usual = [track("Wide", messageId=f"u{n}", properties={"usual": n}) for n in range(3)]
    wide = [track("Wide", messageId=f"w{n:05}", properties=each) for n, each in enumerate(events)]
    harness.put(config, "wide.jsonl.gz", lines(*usual, *wide, track("Other", messageId="o")))
    peak = peak_of(config)
    assert len(harness.columns(config)["wide"]) == 1000 + 1  # and `extra`
    rows = harness.rows(config, "wide")
    assert len(rows) == 3 + len(events)
    assert [row["usual"] for row in rows[:3]] == [0, 1, 2]
    stored = [{**row, **(row["extra"] or {})} for row in rows[3:]]
    numbers = sorted(
        value for row in stored for name, value in row.items() if name.startswith("key_") and value is not None
    )
    assert numbers == sorted(each for event in events for value in event.values() for each in leaves(value))
    assert harness.sums(config)["rejects"] == 0
    assert len(harness.rows(config, "other")) == 1
    harness.assert_settled(config)
    assert peak < 600 * MIB


def leaves(value: Any) -> list[int]:
    return list(value.values()) if isinstance(value, dict) else [value]


def test_20000_keys_of_the_context_fill_the_tables_too(project: Callable[..., Config]) -> None:
    config = project()
    context = {f"key {n}": n for n in range(KEYS)}
    harness.put(
        config, "wide.jsonl.gz", lines(track("Wide", messageId="w", context=context), track("Other", messageId="o"))
    )
    [result] = harness.run(config)
    assert (result.conserved, result.rejects, result.problems) == (True, 0, ())
    for table in ("wide", "tracks"):
        [row] = [row for row in harness.rows(config, table) if row["id"] == "w"]
        kept = {name: value for name, value in row.items() if name.startswith("context_key_")}
        assert len(harness.columns(config)[table]) == 1000 + 1
        assert len(row["context_extra"]) + len(kept) == KEYS
        assert {**kept, **row["context_extra"]} == {f"context_key_{n}": n for n in range(KEYS)}
    assert "context_extra" not in harness.columns(config)["other"]


def test_a_later_load_adds_to_the_overflow_and_not_to_the_columns(project: Callable[..., Config]) -> None:
    config = project(source="max_columns = 20")
    for load in ("first", "second"):
        properties = {f"{load} {n}": n for n in range(50)}
        harness.put(config, f"{load}.jsonl.gz", lines(track("Wide", messageId=load, properties=properties)))
        harness.run(config)
    first, second = harness.rows(config, "wide")
    assert len(harness.columns(config)["wide"]) == 20 + 1
    assert len(first["extra"]) == 50 - sum(name.startswith("first_") for name in first)
    assert second["extra"] == {f"second_{n}": n for n in range(50)}


def test_very_many_event_names_have_a_table_each(project: Callable[..., Config]) -> None:
    config = project(load="workers = 1")
    names = [f"Event Name {n}" for n in range(NAMES)]
    sent = [
        track(name, messageId=f"m{n} {turn}", properties={"n": n}) for turn in range(2) for n, name in enumerate(names)
    ]
    harness.put(config, "names.jsonl.gz", lines(*sent))
    peak = peak_of(config)
    assert harness.columns(config).keys() == {"tracks", *(f"event_name_{n}" for n in range(NAMES))}
    counts = " UNION ALL ".join(
        f"SELECT {n} AS n, count(*) AS c FROM web.event_name_{n} WHERE n = {n}" for n in range(NAMES)
    )
    assert harness.query(config, f"SELECT c, count(*) FROM ({counts}) GROUP BY c") == [(2, NAMES)]
    assert harness.sums(config) == {
        "lines": 2 * NAMES,
        "events": 2 * NAMES,
        "rows": 2 * NAMES,
        "duplicates": 0,
        "filtered": 0,
        "quarantined": 0,
        "rejects": 0,
    }
    harness.assert_settled(config)
    assert peak < 450 * MIB


def test_the_keys_are_sent_as_they_are_counted() -> None:
    assert [json.dumps(events).count("key ") for events in SHAPES.values()] == [KEYS, KEYS, KEYS // 100]
