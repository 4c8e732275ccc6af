"""Loads that are killed, cut off or not alone: in the end the tables are those of a load that nobody disturbed.

Run on every warehouse with a server of its own. DuckDB's crashes are in tests/flow/test_crashes.py, at every boundary
and at any instant, as its file makes them harder.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from flow import harness
from flow.harness import put

from contract import reading
from contract.conftest import Project
from contract.places import Place
from loader.config import Config
from loader.core.synthetic import Shape, files
from loader.errors import WarehouseError
from loader.load.edges import connected
from loader.storage import connect

SHAPE = Shape(events=900, event_names=3, files=3, dirty=0.02, conflicts=0.02, duplicates=0.05, seed=7)
PATIENCE_SECONDS = 120.0


def filled(config: Config) -> Config:
    for key, content in files(SHAPE):
        put(config, f"{key}.gz", content)
    return config


def found(config: Config) -> tuple[Any, ...]:
    return (
        reading.columns(config),
        reading.tables(config),
        reading.rejects(config),
        reading.quarantine(config),
    )


def assert_settled(config: Config) -> None:
    """Assert that nothing is left of the work, in the warehouse and in staging."""
    assert reading.query(config, "SELECT load_id, state FROM loader.loads WHERE state <> 'done' OR NOT conserved") == []
    assert reading.query(config, "SELECT holder FROM loader.leases") == []
    assert reading.leftovers(config) == []
    assert [
        each.key for each in connect(config.staging.url, access=config.staging.access, base=config.base).list()
    ] == []


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    config = filled(harness.project(tmp_path_factory.mktemp("undisturbed") / "duckdb"))
    harness.run(config)
    return found(config)


@pytest.fixture
def server(place: Place) -> Place:
    if place.kind == "duckdb":
        pytest.skip("is tested in tests/flow")
    return place


# What can be seen in the warehouse from outside while a load goes on, in this order.
MOMENTS = {
    "the load is claimed": "SELECT 1 FROM loader.loads WHERE state = 'planned'",
    "the tables are made": "SELECT 1 FROM loader.loads WHERE state IN ('migrated', 'loading')",
    "a first table is merged": "SELECT 1 FROM loader.load_tables",
    "the load is done": "SELECT 1 FROM loader.loads WHERE state = 'done'",
}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_load_is_ended_by_the_next(make: Project, moment: str, undisturbed: tuple[Any, ...]) -> None:
    config = filled(make())
    killed = _killed(config, lambda: _seen(config, MOMENTS[moment]))
    assert killed or moment == "the load is done"
    harness.command(config, code=0)
    assert harness.run(config) == []
    assert found(config) == undisturbed
    assert_settled(config)


@pytest.mark.usefixtures("server")
def test_of_two_loads_at_once_one_waits_for_the_other(make: Project, undisturbed: tuple[Any, ...]) -> None:
    config = filled(make())
    processes = [harness.start(config) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert found(config) == undisturbed
    assert_settled(config)


def _killed(config: Config, reached: Callable[[], bool]) -> bool:
    """Start a load and kill it when something is reached; return False if it ended before."""
    process = harness.start(config)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if reached():
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.005)
    process.communicate()
    return False


def _seen(config: Config, query: str) -> bool:
    try:
        with connected(config, read_only=True) as opened, opened.session() as session:
            return bool(session.execute(query))
    except WarehouseError:  # the ledger is not there yet
        return False
