"""A DuckDB file that is closed and opened anew while it is merged into: nothing is lost, nobody waits for ever."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from duckdb import connect as new_file
from flow import harness

from loader.config.warehouses import DuckDB as Settings
from loader.core.staging import Delivery
from loader.core.warehouse import Site
from loader.errors import WarehouseError
from loader.storage import connect as store
from loader.warehouses import duckdb

THREADS, TABLES = 4, 40
NOTHING = Delivery("load", "web", "clicked", [], {}, {})


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> duckdb.DuckDB:
    monkeypatch.setattr(duckdb, "_MAX_STATEMENTS", 5)
    site = Site(store("staging", base=tmp_path), str, threads=2, wait_seconds=5.0)
    return duckdb.connect(Settings(path=str(tmp_path / "w.duckdb")), site)


def test_transactions_of_several_threads_are_all_there(opened: duckdb.DuckDB) -> None:
    def made(number: int) -> int:
        with opened.staged(NOTHING), opened.session() as session:
            session.execute(f"CREATE TABLE t{number} (x INTEGER)")
            with opened.session() as other:  # of the same thread, while others wait to close the file
                assert other.execute("SELECT 1") == [(1,)]
            session.execute(f"INSERT INTO t{number} VALUES ({number})")
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(made, range(TABLES))) == list(range(TABLES))
    with opened.session() as session:
        query = " UNION ALL ".join(f"SELECT x FROM t{number}" for number in range(TABLES))
        assert sorted(session.execute(query)) == [(number,) for number in range(TABLES)]
    opened.close()


def _failing(opened: duckdb.DuckDB) -> None:
    with opened.staged(NOTHING), opened.session() as session:
        session.execute("CREATE TABLE half (x INTEGER)")
        session.execute("SELECT * FROM nowhere")


def test_it_is_closed_after_so_many_statements_and_a_failed_one_leaves_nothing(opened: duckdb.DuckDB) -> None:
    before = opened._connection
    for _ in range(5):
        with pytest.raises(WarehouseError, match="nowhere"):
            _failing(opened)
    with opened.session() as session:
        assert session.execute("SELECT count(*) FROM duckdb_tables()") == [(0,)]
    assert opened._connection is not before
    opened.close()
    opened.close()


@pytest.mark.parametrize("size", [0, 4096, 8192, 12_287])
def test_a_file_that_was_killed_before_its_headers_were_whole_is_made_anew(size: int, tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    path = Path(harness.database(config))
    new_file(str(path)).close()
    os.truncate(path, size)
    harness.put(config, "a.jsonl", harness.lines(harness.track()))
    harness.command(config, code=0)
    assert harness.query(config, "SELECT count(*) FROM web.tracks") == [(1,)]


def test_a_small_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    config = harness.project(tmp_path)
    path = Path(harness.database(config))
    path.write_text("id,name\n1,Ann\n")
    harness.put(config, "a.jsonl", harness.lines(harness.track()))
    harness.command(config, code=1)
    assert path.read_text() == "id,name\n1,Ann\n"
