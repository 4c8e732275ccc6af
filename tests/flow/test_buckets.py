"""The whole load with events and parts in S3 or GCS, over HTTP: a bucket gives the tables that a folder gives."""

import gzip
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from standins import faults, s3
from storage import buckets
from storage.buckets import Service

from flow import harness
from flow.harness import HOUR, HOUR_AT, Silent, lines, track
from loader.config import Config, load_config
from loader.core.objects import Store
from loader.core.results import Window
from loader.core.synthetic import Shape, files
from loader.load import load, status
from loader.storage import connect

STAGING = "staging"  # a bucket of its own
SHAPE = Shape(events=4_000, event_names=4, files=4, dirty=0.01, conflicts=0.01, duplicates=0.03, batches=0.02)
OURS = ("loaded_at", "load_id")  # a load is named after the versions of its files, which differ
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module", params=buckets.KINDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with buckets.running(request.param, tmp_path_factory.mktemp("keys"), STAGING) as found:
        for key, content in files(SHAPE):
            found.put(f"shape/{key}", content)
        yield found


@pytest.fixture
def project(service: Service, tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a project in buckets, with prefixes that no other test has."""

    def make(**settings: Any) -> Config:
        return made(service, tmp_path, **{"events": f"{buckets.NAME}/{tmp_path.name}", **settings})

    return make


def made(
    service: Service,
    folder: Path,
    *,
    events: str,
    staging: str = STAGING,
    workers: int = 1,
    endpoint: str | None = None,
) -> Config:
    access = f"access = {service.toml(endpoint=endpoint)}"
    path = folder / "loader.toml"
    path.write_text(
        f'[load]\nworkers = {workers}\n[staging]\nurl = "{service.kind}://{staging}/{folder.name}"\n{access}\n'
        f'[sources.web]\nurl = "{service.kind}://{events}"\nlayout = "{harness.LAYOUT}"\n{access}\n'
    )
    return load_config(path)


def events(config: Config) -> Store:
    settings = config.sources["web"]
    return connect(settings.url, access=settings.access, base=config.base)


def put(config: Config, name: str, *numbers: int) -> str:
    """Write a file of orders with these numbers; return its key."""
    key = name if "/" in name else HOUR + name
    events(config).write(key, gzip.compress(lines(*(track(messageId=f"m{number}") for number in numbers)), mtime=0))
    return key


def found(config: Config) -> tuple[Any, ...]:
    fingerprints = harness.fingerprints(config, without=OURS)
    return fingerprints, harness.rejects(config), harness.quarantine(config), harness.sums(config)


@pytest.fixture(scope="module")
def of_folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What the tables and the ledger hold after a load of the same events from a folder."""
    config = harness.project(tmp_path_factory.mktemp("folders"))
    for key, content in files(SHAPE):
        harness.put(config, key, content, packed=False)
    harness.run(config)
    return found(config)


def test_the_tables_are_those_of_folders_and_a_second_run_loads_nothing(
    service: Service, project: Callable[..., Config], of_folders: tuple[Any, ...]
) -> None:
    config = project(events=f"{buckets.NAME}/shape", workers={"s3": 2, "gs": 1}[service.kind])
    [result] = harness.run(config)
    assert (result.files, result.state, result.conserved) == (SHAPE.files, "done", True)
    assert harness.run(config) == []
    assert found(config) == of_folders
    harness.assert_settled(config)


def test_killed_at_work_the_next_run_continues(
    service: Service, project: Callable[..., Config], of_folders: tuple[Any, ...]
) -> None:
    config = project(events=f"{buckets.NAME}/shape", workers=2)
    kill_when(config, {"s3": ".parquet", "gs": "manifest.json"}[service.kind])
    [before] = harness.query(config, "SELECT load_id FROM loader.loads")
    said = harness.command(config, code=0)
    assert f"load {before[0]} continues" in said
    assert found(config) == of_folders
    harness.assert_settled(config)


def kill_when(config: Config, reached: str) -> None:
    """Start a load, and kill command, fork server and workers when such an object is in staging."""
    staging = connect(config.staging.url, access=config.staging.access, base=config.base)
    process, deadline = harness.start(config), time.monotonic() + PATIENCE_SECONDS
    while not any(file.key.endswith(reached) for file in staging.list()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_rewritten_object_is_a_new_version_and_adds_only_what_is_new(project: Callable[..., Config]) -> None:
    config = project()
    put(config, "a.gz", 1, 2)
    harness.run(config)
    put(config, "a.gz", 1, 2)
    assert harness.run(config) == []  # the same bytes: the same version
    put(config, "a.gz", 1, 2, 3)
    [result] = harness.run(config)
    assert (result.rows, result.duplicates, result.problems) == (1, 2, ())
    assert [row["id"] for row in harness.rows(config, "tracks")] == ["m1", "m2", "m3"]
    harness.assert_settled(config)


class Meddler(Silent):
    """A progress that does something when the claimed files are about to be read."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def step(self, name: str, *, total: int | None, unit: str) -> None:  # noqa: ARG002  # as the protocol has it
        """Do it."""
        if name.startswith("web: reading"):
            self.act()


def test_an_object_deleted_between_claim_and_read_is_a_problem_and_no_failure(project: Callable[..., Config]) -> None:
    config = project()
    put(config, "a.gz", 1)
    gone = put(config, "b.gz", 2)
    meddler = Meddler(lambda: events(config).delete([gone]))
    [result] = load(config, "web", window=Window(), replay=False, progress=meddler)
    assert (result.state, result.conserved, result.rows) == ("done", True, 1)
    [problem] = result.problems
    assert problem.startswith(f"{gone}: changed: {config.sources['web'].url}/{gone} was rewritten or deleted")
    assert harness.file_states(config) == {("a.gz", "loaded", None), ("b.gz", "released", "changed")}
    assert harness.run(config) == []
    harness.assert_settled(config)


def test_a_window_is_listed_without_what_lies_around_it(service: Service, project: Callable[..., Config]) -> None:
    with faults.before(service.endpoint) as proxy:
        config = project(endpoint=proxy.endpoint)
        inside = put(config, "a.gz", 1)
        for day in ("2025-12-31", "2026-01-01", "2026-01-03", "2026-02-01"):
            put(config, f"{day}/07/b.gz", 2)
        [result] = harness.run(config, window=Window(HOUR_AT, HOUR_AT + timedelta(hours=1)))
        requests = list(proxy.requests)
    assert harness.query(config, "SELECT key FROM loader.files") == [(inside,)]
    assert result.rows == 1
    prefix = urlsplit(config.sources["web"].url).path.strip("/")
    # A window lists its days, and at most the day after.
    assert asked(requests) - {f"{prefix}/2026-01-02/"} == {f"{prefix}/2026-01-01/"}


def asked(requests: list[str]) -> set[str]:
    """Return the prefixes of the listings of the events' bucket."""
    urls = [urlsplit(request.partition(" ")[2]) for request in requests if request.startswith("GET ")]
    queries = [parse_qs(url.query) for url in urls if url.path.strip("/") == buckets.NAME]
    return {query.get("prefix", [""])[0] for query in queries}


def kind(config: Config) -> str:
    return config.sources["web"].url.partition("://")[0]


def assert_told(said: str, expected: str) -> None:
    """Assert that one line says it, and no secret."""
    assert expected in said
    assert said.count("\n") == 1
    assert not [secret for secret in buckets.SECRETS if secret in said]


def test_a_bucket_that_is_not_there_is_told_and_status_shows_it(project: Callable[..., Config]) -> None:
    config = project(events="no-such-bucket/web")
    missing = (
        f"{kind(config)}://no-such-bucket/web: the bucket does not exist; create it, or correct the url in loader.toml"
    )
    assert_told(harness.command(config, code=1), f"loader: web: {missing}\n")
    assert [source.problem for source in status(config).sources] == [missing]


def test_a_bucket_that_refuses_us_is_told_without_our_keys(project: Callable[..., Config]) -> None:
    with s3.refuse(403, "InvalidAccessKeyId") as (endpoint, _):
        config = project(endpoint=endpoint)
        assert_told(harness.command(config, code=1), f"loader: web: {config.sources['web'].url}: not permitted")


def test_a_load_whose_staging_is_not_there_continues_once_it_is(project: Callable[..., Config]) -> None:
    config = project(staging="no-such-bucket")
    put(config, "a.gz", 1)
    assert_told(harness.command(config, code=1), "the bucket does not exist")
    [result] = harness.run(project())
    assert (result.resumed, result.state, result.rows) == (True, "done", 1)
    harness.assert_settled(project())


def test_keys_that_our_client_cannot_name_are_loaded_too(service: Service, project: Callable[..., Config]) -> None:
    config = project()
    prefix = urlsplit(config.sources["web"].url).path.strip("/")
    for number, key in enumerate(("a.jsonl", "b//c.jsonl", "d/../e.jsonl")):
        service.put(f"{prefix}/{HOUR}{key}", lines(track(messageId=f"m{number}")))
    [result] = harness.run(config)
    assert (result.files, result.rows, result.problems) == (3, 3, ())
    assert harness.run(config) == []
    harness.assert_settled(config)


def test_throttling_and_broken_connections_change_nothing(
    service: Service, project: Callable[..., Config], of_folders: tuple[Any, ...]
) -> None:
    with faults.before(service.endpoint) as proxy:
        for spoiled in ("status", "reset", "lost"):
            for asked in ("^GET /events", "^GET /staging", "^PUT /staging", "^(DELETE|POST) "):
                proxy.spoil(asked, spoiled, times=2)
        proxy.spoil("^GET ", "cut", times=2)
        proxy.spoil("^GET ", "short", times=2)
        config = project(events=f"{buckets.NAME}/shape", endpoint=proxy.endpoint)
        [result] = harness.run(config)
        assert (result.state, result.conserved, result.problems) == ("done", True, ())
        assert proxy.spoiled == {"status": 8, "reset": 8, "lost": 8, "cut": 2, "short": 2}
        assert found(config) == of_folders
        harness.assert_settled(config)
