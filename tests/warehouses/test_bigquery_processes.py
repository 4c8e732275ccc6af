"""Loads on BigQuery as processes that leave a session behind, or must not. The stand-in goes on, as the service would.

Killed at every boundary, and two at once: that is in tests/contract.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from flow import harness
from standins.bigquery import Standin, serve

from loader.config import Config
from warehouses import bigquery as projects

EVENTS = [
    harness.track(f"Event {number % 3}", messageId=f"m{number}", properties={"n": number}) for number in range(60)
]
PATIENCE_SECONDS = 120.0
SOON_SECONDS = 20.0  # it takes one or two; calls would be made again for a minute, six times over


@pytest.fixture(scope="module")
def server() -> Iterator[Standin]:
    with serve() as standin:
        yield standin


@pytest.fixture
def config(server: Standin, tmp_path: Path) -> Iterator[Config]:
    made = projects.project(tmp_path, endpoint=server.endpoint)
    harness.put(made, "events.jsonl", harness.lines(*EVENTS, *EVENTS[:7], b"{broken"))
    yield made
    server.reset()


def assert_settled(config: Config, standin: Standin) -> None:
    rows = [
        projects.query(config, f"SELECT COUNT(*), COUNT(DISTINCT id), SUM(n) FROM web.event_{each}")
        for each in range(3)
    ]
    assert rows == [[(20, 20, sum(range(each, 60, 3)))] for each in range(3)]
    assert projects.query(config, "SELECT COUNT(*), COUNT(DISTINCT id) FROM web.tracks") == [(60, 60)]
    assert projects.query(config, "SELECT DISTINCT state, conserved FROM loader.loads") == [("done", True)]
    assert projects.query(config, "SELECT events, `rows`, duplicates, unaccounted FROM loader.conservation") == [
        (68, 60, 7, 0)
    ]
    assert projects.query(config, "SELECT * FROM loader.leases") == []
    assert [name for name in standin.jobs.engine.catalog.tables if name[0] == "loader_staging"] == []
    assert standin.jobs.engine.holders == {}


def test_a_dead_process_keeps_no_table_closed(config: Config, server: Standin) -> None:
    stuck = server.faults.add(r"INSERT INTO `loader`.`load_tables`", "cut before", times=10_000)
    process = harness.start(config)
    while not stuck.met:  # it has deleted rows of that table, and cannot go on
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert ("loader", "load_tables") in server.jobs.engine.holders  # as on the service, its transaction is still open
    stuck.times = 0
    harness.command(config, code=0)
    assert_settled(config, server)


# What fails for ever as the load is interrupted: in a thread that merges, in one that stages, in the command itself.
STUCK = [
    (r"INSERT INTO `web`", "cut before", signal.SIGTERM),
    (r"POST /upload", "refuse", signal.SIGINT),
    (r"CREATE TABLE IF NOT EXISTS `web`", "refuse", signal.SIGINT),
]


@pytest.mark.parametrize(("call", "kind", "sent"), STUCK, ids=lambda each: str(each))
def test_a_load_that_is_interrupted_as_calls_fail_ends_soon_and_leaves_no_session(
    call: str, kind: Literal["refuse", "cut before"], sent: signal.Signals, config: Config, server: Standin
) -> None:
    stuck = server.faults.add(call, kind, times=10_000)
    process: subprocess.Popen[str] = harness.start(config)
    while stuck.met < 5:  # calls are some seconds apart by then
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    began = time.monotonic()
    os.killpg(process.pid, sent)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - began < SOON_SECONDS
    assert (process.returncode, "Traceback" in said, "interrupted; nothing is lost" in said) == (130, False, True), said
    assert server.jobs.engine.sessions == {}
    stuck.times = 0
    harness.run(config)
    assert_settled(config, server)
