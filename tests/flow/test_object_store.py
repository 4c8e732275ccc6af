"""A load from a real object store that is killed and started anew in the middle of it."""

import time
from pathlib import Path

import pytest
from standins import faults
from standins.seaweedfs import Server
from storage import buckets

from flow import harness
from flow.harness import HOUR, lines, track
from flow.test_buckets import made

FILES = 40
PATIENCE_SECONDS = 120.0


@pytest.mark.parametrize("asked", ["^GET /events/.*jsonl", "^PUT /staging/.*parquet"], ids=["reading", "writing"])
def test_a_restart_of_the_store_costs_time_and_nothing_else(object_store: Server, asked: str, tmp_path: Path) -> None:
    for number in range(FILES):
        events = (track(messageId=f"m{number}-{each}") for each in range(3))
        object_store.put(f"{tmp_path.name}/{HOUR}{number:03}.jsonl", lines(*events))
    with faults.before(object_store.endpoint) as proxy:
        service = buckets.on(object_store)
        config = made(service, tmp_path, events=f"{buckets.NAME}/{tmp_path.name}", endpoint=proxy.endpoint)
        proxy.spoil(asked, "held")
        process = harness.start(config)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not proxy.spoiled["held"]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        object_store.kill()
        object_store.start()
        proxy.behind = object_store.endpoint
        proxy.release.set()
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said
        found = harness.sums(config)
        assert (found["rows"], found["duplicates"], found["quarantined"]) == (FILES * 3, 0, 0)
        harness.assert_settled(config)
        assert harness.run(config) == []
