"""Processes of `dagster dev` are killed while they load: the tables are right afterwards, and no run stays STARTED."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from flow import harness

from loader.config import Config
from loader.core.synthetic import Shape, file
from ui.server import RELOAD, Server, dagster_dev

pytestmark = pytest.mark.skipif(
    "LOADER_KILLS" not in os.environ, reason="takes minutes: LOADER_KILLS=1 kills processes during loads"
)
BIG = """
[sources.big]
url = "big"
layout = "{yyyy}-{mm}-{dd}/{hh}/"
[dagster]
start = "2026-01-01"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A source whose files take seconds to load."""
    folder = tmp_path_factory.mktemp("kills") / "project"
    made = harness.project(folder, source=BIG, load='workers = 1\nlease_ttl = "30s"')
    (folder / "big").mkdir()
    return made


@pytest.fixture(scope="module")
def server(config: Config) -> Iterator[Server]:
    with dagster_dev(config.base) as found:
        yield found


def _big(config: Config, hour: int) -> None:
    """Write a file that takes seconds to load."""
    shape = Shape(events=24_000 * 24, event_names=30, seed=hour, files=24)
    key, lines = file(shape, hour)
    path = Path(config.sources["big"].url) / f"{key}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines, 1, mtime=0))


def _begun(server: Server, hour: int) -> str:
    """Launch the load of an hour of `big`, and return when it is in the middle of it."""
    partition = f"2026-01-01-{hour:02}:00"
    run = server.launch(assets=("big/events", "big/loads"), tags={"dagster/partition": partition}, config={})
    server.until(lambda: server.workers(run) and b"big: reading" in _output(server, run))
    return run


def _output(server: Server, run: str) -> bytes:
    query = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
      ... on MessageEvent { message } } } } }"""
    return str(server.ask(query, run=run)["logsForRun"]).encode()


def _done(config: Config) -> int:
    """Return how many loads of `big` are done; -1 while another process holds the warehouse."""
    try:
        [(found,)] = harness.query(config, "SELECT count(*) FROM loader.loads WHERE source = 'big' AND state = 'done'")
    except duckdb.IOException:
        return -1
    return int(found)


def _settled(config: Config, server: Server, *, loads: int) -> None:
    """Assert that all is loaded in the end, and no run is left STARTED."""
    server.until(server.idle, seconds=400)
    rows = harness.query(
        config, "SELECT count(*) FROM loader.loads WHERE source = 'big' AND state = 'done' AND conserved"
    )
    assert rows == [(loads,)]
    assert harness.query(config, "SELECT sum(unaccounted) FROM loader.conservation") == [(0,)]


def test_a_killed_run_fails_and_its_load_is_continued(config: Config, server: Server) -> None:
    _big(config, 1)
    run = _begun(server, 1)
    for process in server.workers(run):
        process.kill()
    assert server.ended(run, seconds=300)["status"] == "FAILURE"
    server.start_sensor("new_files")
    server.until(lambda: _done(config) == 1, seconds=300)
    server.stop_sensor("new_files")
    _settled(config, server, loads=1)


def test_a_killed_code_server_ends_no_load(config: Config, server: Server) -> None:
    _big(config, 2)
    run = _begun(server, 2)
    for process in server.processes("dagster api grpc"):
        process.kill()
    assert server.ended(run, seconds=300)["status"] == "SUCCESS"
    server.ask(RELOAD)  # what 'Reload definitions' does: the server is started anew
    server.until(server.assets, seconds=120)
    _settled(config, server, loads=2)


def test_two_runs_on_one_source_come_one_after_the_other(config: Config, server: Server) -> None:
    _big(config, 3)
    asked = {"assets": ("big/events", "big/loads"), "tags": {"dagster/partition": "2026-01-01-03:00"}, "config": {}}
    runs = [server.launch(**asked), server.launch(**asked)]  # type: ignore[arg-type]  # as one dict
    assert [server.ended(each, seconds=300)["status"] for each in runs] == ["SUCCESS", "SUCCESS"]
    _settled(config, server, loads=3)


def test_a_killed_daemon_ends_no_load_and_the_next_start_goes_on(config: Config, server: Server) -> None:
    _big(config, 4)
    run = _begun(server, 4)
    for process in server.processes("dagster._daemon"):
        process.kill()
    server.process.wait(120)  # `dagster dev` ends when one of its own does
    with dagster_dev(config.base) as again:
        assert again.ended(run, seconds=300)["status"] in ("SUCCESS", "FAILURE")
        _settled(config, again, loads=4)
        children = [again.process.pid, *(each.pid for each in again.processes(""))]
        print(f"memory of `dagster dev`: {sum(_resident(each) for each in children) >> 20} MB")


def _resident(process: int) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
