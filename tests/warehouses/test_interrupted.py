"""Ctrl-C and SIGTERM while a load waits for a server: it ends soon, says so, and leaves nothing that runs there."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest
from contract.places import postgres, snowflake
from flow import harness
from psycopg.conninfo import make_conninfo
from redshift.project import Place
from standins import redshift, s3
from standins.postgres import Server
from standins.snowflake import Account

from loader.config import Config, load_config

SOON_SECONDS = 20.0  # two on a machine that does nothing else; the statements would wait for a minute
SAID = "loader: interrupted; nothing is lost: the same command continues where this one stopped\n"
# A merge waits in a thread of its own, what comes before it in the first one.
TABLES = pytest.mark.parametrize("table", ["web.order_completed", "loader.leases"], ids=["in a thread", "in the first"])
WAITING = """SELECT query FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid() AND datname = current_database()"""


def config_in(folder: Path, settings: str) -> Config:
    (folder / "events").mkdir(exist_ok=True)
    source = f'[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"'
    path = folder / "loader.toml"
    path.write_text(f'[warehouse]\n{settings}\n[load]\nworkers = 1\nlock_wait = "60s"\n{source}\n')
    return load_config(path)


def loaded(config: Config) -> Config:
    """Load one event, and have another wait."""
    harness.put(config, "a.gz", harness.lines(harness.track()))
    harness.command(config, code=0)
    harness.put(config, "b.gz", harness.lines(harness.track(userId="u2")))
    return config


def until(met: Callable[[], object], process: "Popen[str] | None" = None) -> None:
    end = time.monotonic() + 60
    while not met():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it never came so far"
        time.sleep(0.02)


def assert_ends(process: "Popen[str]", number: int) -> None:
    began = time.monotonic()
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    taken = time.monotonic() - began
    assert (process.returncode, said[-len(SAID) :]) == (130, SAID), said
    assert taken < SOON_SECONDS


def assert_stops(config: Config, backend: str, table: str, number: int) -> None:
    """Interrupt a load that waits for a table that somebody else has locked."""
    with psycopg.connect(backend) as other, psycopg.connect(backend, autocommit=True) as watching:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        process = harness.start(config)
        until(lambda: watching.execute(WAITING).fetchall(), process)
        assert_ends(process, number)
        until(lambda: not watching.execute(WAITING).fetchall())
    harness.command(config, code=0)


@TABLES
def test_postgres(table: str, postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_POSTGRES_PASSWORD", postgres_server.password)
    database = postgres.fresh(postgres_server)
    config = loaded(config_in(tmp_path, postgres.settings(postgres_server, database, postgres_server.user)))
    assert_stops(config, make_conninfo(postgres_server.dsn(), dbname=database), table, signal.SIGINT)


@pytest.fixture(scope="module")
def served(postgres_server: Server) -> Iterator[Place]:
    with s3.serve() as endpoint, redshift.serve(postgres_server.dsn(), s3=endpoint) as cluster:
        yield Place(cluster, endpoint)


@pytest.mark.parametrize("driver", ["redshift_connector", "psycopg"])
@TABLES
def test_redshift(table: str, driver: str, served: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served.tell(monkeypatch)
    served.clean()
    config = loaded(served.project(tmp_path, driver=f'"{driver}"'))
    assert_stops(config, served.cluster.backend, table, signal.SIGTERM)


def cancelled(account: Account) -> int:
    return sum("CANCEL_ALL_QUERIES" in sql for _, sql in account.statements())


@pytest.mark.parametrize("statement", ['^INSERT INTO "WEB"', "^SELECT load_id"], ids=["in a thread", "in the first"])
def test_snowflake(statement: str, snowflake_account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SNOWFLAKE_PASSWORD", snowflake_account.password)
    config = loaded(config_in(tmp_path, snowflake.settings(snowflake_account)))
    before = cancelled(snowflake_account)
    snowflake_account.fail({"match": statement, "act": "stall"})
    try:
        process = harness.start(config)
        until(snowflake_account.struck, process)
        assert_ends(process, signal.SIGINT)
        until(lambda: cancelled(snowflake_account) > before)
    finally:
        snowflake_account.fail()
    harness.command(config, code=0)
