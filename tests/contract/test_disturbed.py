"""Loads that are killed, cut off or not alone: in the end the tables are those of a load that nobody disturbed.

Run on every warehouse with a server of its own. DuckDB's crashes are in tests/flow/test_crashes.py, at every boundary
and at any instant, as its file makes them harder.
"""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from flow import harness
from flow.harness import put

from contract import reading
from contract.conftest import Project
from contract.crashing import Loads, Moment, loads, said
from contract.places import Place
from loader.config import Config
from loader.core.synthetic import Shape, files
from loader.storage import connect

SHAPE = Shape(events=900, event_names=3, files=4, dirty=0.02, conflicts=0.02, duplicates=0.05, seed=7)


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


@pytest.fixture(scope="session")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What there is where each file has a load of its own."""
    config = harness.project(tmp_path_factory.mktemp("one_by_one") / "duckdb")
    for key, content in files(SHAPE):
        put(config, f"{key}.gz", content)
        harness.run(config)
    return found(config)


@pytest.fixture
def server(place: Place) -> Place:
    if place.kind == "duckdb":
        pytest.skip("is tested in tests/flow")
    return place


# Every boundary of a load's states, in this order: before it, in its transaction, and after. Each of four files has a
# load, which is killed at these, one after the other; each next one goes on where the one before was killed.
BOUNDARIES = (
    (
        Moment("the ledger is half made", "execute", sql="CREATE TABLE", turn=4),
        Moment("the ledger's views are half made", "execute", sql="CREATE OR REPLACE VIEW", turn=2),
        Moment("the lease is taken, and nobody knows yet", "loader.ledger.leases.acquire"),
        Moment("the files are claimed, and nobody knows yet", "loader.ledger.loads.claim"),
        Moment("the load is planned", "loader.load.leasing._acquired"),
        Moment("parts are written, and no manifest", "loader.load.workers.reports"),
        Moment("the load is shredded", "loader.load.runs.store_manifest"),
        Moment("a table is made", "execute", sql=r"CREATE TABLE.*\bweb\b"),
        Moment("all tables are made, and nobody knows yet", "loader.ledger.notes.note_changes"),
        Moment("the load is migrated", "loader.load.migrating.migrated"),
        Moment("the load is loading", "loader.load.flow._merged_before"),
        Moment("parts are staged", "loader.load.merging._sources"),
        Moment("rows are added, and nobody knows yet", "loader.load.merging._added"),
        Moment("the ledger has the table, and nobody knows yet", "loader.ledger.loads.note_tables"),
        Moment("the first tables are merged", "loader.load.merging._together"),
        Moment("all tables are merged", "loader.load.flow._merged"),
        Moment("rejects are written, and nobody knows yet", "loader.load.flow._set_aside"),
        Moment("the sums are written, and nobody knows yet", "loader.ledger.loads.finish"),
        Moment("the load is done", "loader.load.flow._finished"),
    ),
    (
        Moment("a column is being widened or added", "execute", sql="ALTER TABLE"),
        Moment("a column is widened or added", "execute", sql="ALTER TABLE", turn=2),
        Moment("profiles are being made anew", "loader.core.merge.profile"),
        Moment("the staging tables are dropped", "loader.load.flow._cleared", entered=True),
    ),
    (Moment("the parts are deleted", "loader.load.flow._cleared"),),
    (Moment("the lease is to be given back", "loader.load.leasing._released", entered=True),),
)


@pytest.fixture(scope="session")
def forks() -> Iterator[Loads]:
    with loads() as found:
        yield found


@pytest.fixture(scope="session")
def others() -> Iterator[Loads]:
    with loads() as found:
        yield found


@pytest.mark.usefixtures("server")
def test_killed_at_every_boundary(make: Project, forks: Loads, one_by_one: tuple[Any, ...]) -> None:
    config, survived = make(), []
    for (key, content), moments in zip(files(SHAPE), BOUNDARIES, strict=True):
        put(config, f"{key}.gz", content)
        for moment in moments:
            code = forks.run(config, moment)
            assert code in (0, -signal.SIGKILL), (moment, said(config))
            survived += [] if code else [moment.what]
    assert survived == []
    harness.run(config)
    assert harness.run(config) == []
    assert found(config) == one_by_one
    assert_settled(config)
    views = ("conservation", "freshness", "load_history", "sync_history", "sync_latest")
    counts = [reading.query(config, f"SELECT count(*) FROM loader.{view}")[0][0] for view in views]
    assert counts == [4, 1, 4, 0, 0]


@pytest.mark.usefixtures("server")
def test_of_two_loads_at_once_one_waits_for_the_other(
    make: Project, forks: Loads, others: Loads, undisturbed: tuple[Any, ...]
) -> None:
    config = filled(make())
    for each in (forks, others):
        each.start(config)
    assert [each.ended() for each in (forks, others)] == [0, 0], said(config)
    assert found(config) == undisturbed
    assert_settled(config)
