"""BigQuery with staging in a bucket of Google's: its load jobs read objects there, and none is left behind."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.crashing import Moment, loads, said
from flow import harness
from standins import bigquery, gcs
from standins.bigquery import Standin
from standins.gcs import Cloud

from loader.config import Access, Config
from loader.errors import WarehouseBusyError
from loader.load import doctor
from loader.storage import connect
from loader.warehouses.bigquery.shelves import shelves
from warehouses import bigquery as projects

EVENTS = [harness.track(f"Event {number % 3}", messageId=f"m{number}", properties={"n": number}) for number in range(9)]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with gcs.serve("staging") as served:
        yield served


@pytest.fixture
def standin(cloud: Cloud) -> Iterator[Standin]:
    with bigquery.serve(storage=cloud.endpoint) as served:
        yield served


@pytest.fixture
def config(standin: Standin, cloud: Cloud, tmp_path: Path) -> Config:
    return project(tmp_path, standin, cloud)


def project(folder: Path, standin: Standin, cloud: Cloud) -> Config:
    more = f'[staging]\nurl = "gs://staging/{folder.name}"\naccess = {{ endpoint = "{cloud.endpoint}" }}'
    made = projects.project(folder, endpoint=standin.endpoint, more=more)
    harness.put(made, "events.jsonl", harness.lines(*EVENTS, EVENTS[0], b"{broken"))
    return made


def assert_settled(config: Config, standin: Standin, cloud: Cloud) -> None:
    """Assert that all rows are there, once, and nothing is left of the work, in the warehouse or in the bucket."""
    assert projects.query(config, "SELECT COUNT(*), COUNT(DISTINCT id) FROM web.tracks") == [(9, 9)]
    for number in range(3):
        found = projects.query(config, f"SELECT SUM(n) FROM web.event_{number}")
        assert found == [(sum(range(number, 9, 3)),)]
    assert projects.query(config, "SELECT events, `rows`, duplicates, quarantined FROM loader.conservation") == [
        (11, 9, 1, 1)
    ]
    assert projects.query(config, "SELECT DISTINCT state FROM loader.loads") == [("done",)]
    assert [name for name in standin.jobs.engine.catalog.tables if name[0] == "loader_staging"] == []
    assert objects(config, cloud) == []


def objects(config: Config, cloud: Cloud) -> list[str]:
    bucket, prefix = config.staging.url.removeprefix("gs://").split("/")
    page = cloud.buckets.page(bucket, prefix=f"{prefix}/", delimiter="", start="", end="", after="", limit=1_000)
    return [each.name for each in page.items]


def sources(standin: Standin) -> list[list[str]]:
    """Return the addresses that each load job was given."""
    jobs = [each["configuration"]["load"] for each in standin.jobs.known.values() if "load" in each["configuration"]]
    return [each.get("sourceUris", []) for each in jobs]


def test_load_jobs_read_objects_under_the_loads_prefix(config: Config, standin: Standin, cloud: Cloud) -> None:
    [result] = harness.run(config)
    wanted = f"{config.staging.url}/loads/web/{result.load_id}/bigquery/{result.load_id}_0_0_"
    assert [uris for uris in sources(standin) if not uris or not all(uri.startswith(wanted) for uri in uris)] == []
    assert len(sources(standin)) == 5  # three events, `tracks`, and the quarantine
    assert [request for request in standin.service.requests if "upload" in request] == []
    assert_settled(config, standin, cloud)


def test_a_replay_adds_nothing(config: Config, standin: Standin, cloud: Cloud) -> None:
    harness.run(config)
    [again] = harness.run(config, replay=True)
    assert (again.rows, again.duplicates) == (0, 10)
    assert projects.query(config, "SELECT COUNT(*), COUNT(DISTINCT id) FROM web.tracks") == [(9, 9)]
    assert objects(config, cloud) == []
    assert [name for name in standin.jobs.engine.catalog.tables if name[0] == "loader_staging"] == []


def test_the_doctor_proves_that_load_jobs_can_read_the_bucket(config: Config, standin: Standin, cloud: Cloud) -> None:
    assert [check for check in doctor(config).checks if not check.ok] == []
    assert [len(uris) for uris in sources(standin)] == [1, 1]
    assert objects(config, cloud) == []


# What the service says where load jobs may not read the bucket, and what to do about it.
DENIED = "Access Denied: File gs://staging/part.parquet: Access Denied"
REFUSED = [
    ("EU", None, r"source: EU, destination: US.*use a bucket for \[staging\] that is in `location` of \[warehouse\]"),
    ("US", DENIED, r"Access Denied: File gs://staging/.*roles/storage.objectViewer"),
]


@pytest.mark.parametrize(("location", "denied", "told"), REFUSED, ids=["elsewhere", "closed to this account"])
def test_a_bucket_that_load_jobs_may_not_read_is_named(
    location: str, denied: str | None, told: str, tmp_path: Path
) -> None:
    with gcs.serve("staging", location=location) as cloud, bigquery.serve(storage=cloud.endpoint) as standin:
        if denied:
            standin.jobs.failing("LOAD", "accessDenied", times=99, message=denied)
        [result] = harness.run(project(tmp_path, standin, cloud))
    assert result.state == "loading"
    assert re.search(told, result.problems[0])


def written(cloud: Cloud) -> list[str]:
    """Return what was put into the bucket for load jobs, in order, without its folder."""
    return [
        each.path.rpartition("/")[2] for each in cloud.requests if each.method == "PUT" and "/bigquery/" in each.path
    ]


def test_objects_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    with gcs.serve("staging") as cloud, bigquery.serve(storage=cloud.endpoint) as standin:
        store = connect("gs://staging/here", access=Access(endpoint=cloud.endpoint), base=tmp_path)
        stage = projects.stage(standin, store, tmp_path)
        [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
        standin.jobs.failing("LOAD", "notFound", message="Not found: URI gs://staging/here")
        with pytest.raises(WarehouseBusyError, match="Not found: URI"):
            stage.fill(shelf)
        stage.fill(shelf)
        assert written(cloud) == [f"{shelf.fingerprint}-00000-1-last.parquet"]
        assert list(store.list()) == []


def test_objects_of_a_try_that_was_cut_short_are_made_again(tmp_path: Path) -> None:
    with gcs.serve("staging") as cloud, bigquery.serve(storage=cloud.endpoint) as standin:
        store = connect("gs://staging/here", access=Access(endpoint=cloud.endpoint), base=tmp_path)
        [shelf] = shelves(projects.delivered(tmp_path, n="integer"))
        for name in (f"{shelf.fingerprint}-00000-5.parquet", "of other parts"):
            store.write(f"{shelf.folder}/{name}", b"PAR1")
        projects.stage(standin, store, tmp_path).fill(shelf)
        assert written(cloud)[2:] == [f"{shelf.fingerprint}-00000-1-last.parquet"]
        assert [len(uris) for uris in sources(standin)] == [1]


# Where a load is killed, and whether objects for load jobs are there then.
MOMENTS = (
    (Moment("objects are written, and no job reads them", "loader.warehouses.bigquery.sources.source"), True),
    (Moment("the job is done, and the objects are there", "loader.warehouses.bigquery.staging._load"), True),
    (Moment("all is staged, and no row is merged", "execute", sql="INSERT INTO `web`", entered=True), False),
)


def test_killed_around_staging(config: Config, standin: Standin, cloud: Cloud) -> None:
    with loads() as forks:
        for moment, there in MOMENTS:
            assert forks.run(config, moment) == -signal.SIGKILL, (moment, said(config))
            assert any("/bigquery/" in each for each in objects(config, cloud)) == there, moment
    harness.run(config)
    assert harness.run(config) == []
    assert_settled(config, standin, cloud)
