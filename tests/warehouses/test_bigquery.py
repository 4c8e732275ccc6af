"""BigQuery's adapter through Google's own client, against the stand-in: what only BigQuery can do wrong."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flow import harness
from standins.bigquery import Standin, serve
from standins.bigquery.faults import Fault

from loader.config import Config, load_config
from loader.errors import ConfigError, WarehouseError
from loader.load import doctor, retype
from warehouses import bigquery as projects

FEW = [harness.track(properties={"total": number, "tags": [number, "a"]}) for number in range(5)]
Project = Callable[..., Config]


@pytest.fixture(scope="module")
def server() -> Iterator[Standin]:
    with serve() as standin:
        yield standin


@pytest.fixture
def standin(server: Standin) -> Iterator[Standin]:
    yield server
    server.reset()


@pytest.fixture
def project(standin: Standin, tmp_path: Path) -> Project:
    def make(name: str = "project", **how: str) -> Config:
        return projects.project(tmp_path / name, endpoint=standin.endpoint, **how)  # type: ignore[arg-type]  # all texts

    return make


def filled(config: Config) -> Config:
    harness.put(config, "few.jsonl", harness.lines(*FEW, b"{broken"))
    return config


def total(config: Config) -> list[tuple[object, ...]]:
    return projects.query(config, "SELECT COUNT(*), COUNT(DISTINCT id), SUM(total) FROM web.order_completed")


def assert_settled(config: Config, standin: Standin) -> None:
    """Assert that all five rows are there, once, the ledger agrees, and nothing is left of the work."""
    assert total(config) == [(5, 5, 10)]
    assert projects.query(config, "SELECT COUNT(*), SUM(`rows`) FROM loader.load_tables WHERE error IS NULL") == [
        (2, 10)
    ]
    assert projects.query(config, "SELECT state, conserved FROM loader.loads") == [("done", True)]
    assert projects.query(config, "SELECT * FROM loader.leases") == []
    assert [name for name in standin.jobs.engine.catalog.tables if name[0] == "loader_staging"] == []
    assert standin.jobs.engine.holders == {}


def test_a_table_is_partitioned_by_day_and_clustered_by_id(project: Project, standin: Standin) -> None:
    harness.run(filled(project()))
    table = standin.jobs.engine.catalog.tables["web", "order_completed"]
    assert table["timePartitioning"] == {"type": "DAY", "field": "received_at"}
    assert table["clustering"] == {"fields": ["id"]}


def test_looking_for_duplicates_reads_the_days_around_the_load(project: Project) -> None:
    config = project(source='dedupe_window = "1d"')
    old = [harness.track(receivedAt=f"2025-0{1 + day % 9}-0{1 + day // 9}T00:00:00Z") for day in range(60)]
    harness.put(config, "old.jsonl", harness.lines(*old))
    harness.run(config)
    harness.put(config, "new.jsonl", harness.lines(harness.track(properties={"total": 1})))
    harness.run(config)
    [(scanned,)] = projects.query(
        config,
        "SELECT scanned_bytes FROM loader.load_tables WHERE table_name = 'order_completed' "
        "ORDER BY loaded_at DESC LIMIT 1",
    )
    assert 0 < scanned < 60 * 8 * 10  # not the keys of the sixty old days


def test_rows_of_more_days_than_a_job_may_write_to_are_added_in_shares(project: Project, standin: Standin) -> None:
    config = project()
    first = datetime(2000, 1, 1, tzinfo=UTC)
    days = (f"{first + timedelta(days=each):%Y-%m-%dT%H:%M:%SZ}" for each in range(4_100))
    harness.put(config, "years.jsonl", harness.lines(*(harness.track(messageId=day, receivedAt=day) for day in days)))
    harness.run(config)
    assert projects.query(config, "SELECT COUNT(*), COUNT(DISTINCT id) FROM web.order_completed") == [(4_100, 4_100)]
    texts = [job["configuration"].get("query", {}).get("query", "") for job in standin.jobs.known.values()]
    assert sum(text.startswith("INSERT INTO `web`.`order_completed`") for text in texts) == 2


def described(config: Config) -> dict[str, str]:
    """Return what is said of the columns of a table."""
    view = "web.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS"
    found = projects.query(
        config,
        f"SELECT column_name, description FROM {view} WHERE table_name = 'order_completed' AND description IS NOT NULL",
    )
    return dict(found)


def test_tables_and_columns_say_what_they_are_at_no_extra_update(project: Project, standin: Standin) -> None:
    config = filled(project())
    [first] = harness.run(config)
    strange, long = 'It\'s `a` "new"\\ one', "x" * 2_000
    harness.put(config, "more.jsonl", harness.lines(harness.track(properties={strange: 1, long: 1})))
    [second] = harness.run(config)
    table = standin.jobs.engine.catalog.tables["web", "order_completed"]
    at = r"first seen \d{4}-\d\d-\d\d \d\d:\d\d UTC, load "
    assert re.fullmatch(f"event 'Order Completed'; {at}{first.load_id}", table["description"])
    found = described(config)
    [cut] = found.keys() - {"total", "tags", "it_s_a_new_one"}
    assert re.fullmatch(rf"sent as properties\.total; {at}{first.load_id}", found["total"])
    assert re.fullmatch(rf"sent as properties\.{re.escape(strange)}; {at}{second.load_id}", found["it_s_a_new_one"])
    assert found[cut] == f"sent as properties.{'x' * 1_004}…"  # a column's has 1,024 characters at most
    texts = [job["configuration"].get("query", {}).get("query", "") for job in standin.jobs.known.values()]
    assert [text.count("ADD COLUMN") for text in texts if text.startswith("ALTER TABLE `web`.`order_completed`")] == [2]


def test_a_replay_adds_what_is_missing_and_nothing_else(project: Project) -> None:
    config = filled(project())
    harness.run(config)
    harness.run(config, replay=True)
    assert total(config) == [(5, 5, 10)]


def test_a_column_is_retyped_by_way_of_a_new_one(project: Project) -> None:
    config = filled(project())
    harness.run(config)
    harness.put(config, "text.jsonl", harness.lines(harness.track(properties={"total": "many"})))
    harness.run(config)
    assert retype(config, "web.order_completed", "total", "string").restored == 1
    found = projects.query(config, "SELECT total FROM web.order_completed ORDER BY total")
    assert found == [("0",), ("1",), ("2",), ("3",), ("4",), ("many",)]


def test_a_retype_that_is_cut_short_between_two_statements_goes_on(project: Project, standin: Standin) -> None:
    config = filled(project())
    harness.run(config)
    harness.put(config, "text.jsonl", harness.lines(harness.track(properties={"total": "many"})))
    harness.run(config)
    renaming = standin.jobs.failing("RENAME COLUMN", "jobRateLimitExceeded")  # the old column is gone by then
    restored = standin.jobs.failing("UPDATE loader.rejects", "jobBackendError")  # and the new one has its name
    done = retype(config, "web.order_completed", "total", "string")
    assert (renaming.met, restored.met, done.restored, done.left) == (1, 1, 1, 0)
    assert len(projects.query(config, "SELECT total FROM web.order_completed WHERE total IS NOT NULL")) == 6
    history = "SELECT old_type, type FROM loader.columns WHERE change = 'retype'"
    assert projects.query(config, history) == [("integer", "string")]


def test_names_that_a_load_job_would_refuse(project: Project) -> None:
    config = project()
    strange = {"2nd Item": "digit", "select": "reserved", "_PARTITIONTIME": "prefix", "ROWS": 1, "c_0": "ours"}
    harness.put(config, "strange.jsonl", harness.lines(harness.track("Group", properties=strange)))
    harness.run(config)
    found = projects.query(config, "SELECT `2nd_item`, `select`, partitiontime, `rows`, c_0 FROM web.`group`")
    assert found == [("digit", "reserved", "prefix", 1, "ours")]


# What goes wrong once, in which call, and how. A load job's upload is `POST /upload`; a statement's job `POST …/jobs`.
BUSY: dict[str, object] = {"status": 503, "reason": "backendError"}
RATE: dict[str, object] = {"status": 403, "reason": "rateLimitExceeded"}
INSERT, COMMIT = r"/jobs\b(?s:.)*INSERT INTO `web`.`order_completed`", r"/jobs\b(?s:.)*COMMIT TRANSACTION"
FAULTS: list[tuple[str, str, dict[str, object]]] = [
    (r"POST /upload", "refuse", BUSY),
    (r"POST /upload", "cut after", {}),
    (r"/jobs\b(?s:.)*BEGIN TRANSACTION", "cut after", {}),
    (INSERT, "refuse", RATE),
    (INSERT, "cut after", {}),
    (COMMIT, "cut before", {}),
    (COMMIT, "cut after", {}),
    (r"GET .*/jobs/loader_", "cut before", {}),
]


@pytest.mark.parametrize(("call", "kind", "how"), FAULTS, ids=lambda each: str(each).rpartition(")")[2])
def test_a_call_that_fails_once_changes_nothing(
    call: str, kind: str, how: dict[str, object], project: Project, standin: Standin
) -> None:
    config = filled(project())
    fault = standin.faults.add(call, kind, **how)  # type: ignore[arg-type]  # one of the three words
    harness.run(config)
    assert fault.met == 1
    assert_settled(config, standin)


# A job that is taken, and fails.
JOBS: list[tuple[str, str]] = [
    ("jobBackendError", r"INSERT INTO `web`"),
    ("jobRateLimitExceeded", r"COMMIT TRANSACTION"),
    ("backendError", r"^LOAD"),
]


@pytest.mark.parametrize(("reason", "job"), JOBS)
def test_a_job_that_fails_once_is_tried_again(reason: str, job: str, project: Project, standin: Standin) -> None:
    config = filled(project())
    fault: Fault = standin.jobs.failing(job, reason)
    harness.run(config)
    assert fault.met == 1
    assert_settled(config, standin)


def test_polling_waits_for_jobs_that_take_their_time(project: Project, standin: Standin) -> None:
    config = filled(project())
    standin.jobs.slow = 2
    harness.run(config)
    standin.jobs.slow = 0
    assert_settled(config, standin)


def test_a_permission_that_is_missing_is_named(project: Project, standin: Standin) -> None:
    config = filled(project())
    denied = {"status": 403, "reason": "accessDenied", "message": "Access Denied: Dataset proj:web", "times": 99}
    standin.faults.add(r"/jobs\b(?s:.)*CREATE SCHEMA", "refuse", **denied)
    with pytest.raises(WarehouseError, match=r"Access Denied.*grant this account `roles/bigquery.jobUser`") as raised:
        harness.run(config)
    assert raised.value.fault == "permission"


def test_a_project_that_is_not_ours_is_named(standin: Standin, tmp_path: Path) -> None:
    config = projects.project(tmp_path, endpoint=standin.endpoint)
    text = (tmp_path / "loader.toml").read_text().replace('"proj"', '"other"')
    (tmp_path / "loader.toml").write_text(text)
    with pytest.raises(WarehouseError, match="Access Denied: Project other"):
        harness.run(filled(load_config(tmp_path / "loader.toml")))
    assert config.base == tmp_path


def test_credentials_that_are_no_key_are_named(project: Project) -> None:
    config = project()
    path = config.base / "loader.toml"
    (config.base / "key.json").write_text("{}")
    path.write_text(path.read_text().replace("endpoint = ", 'credentials_file = "key.json"\n# '))
    with pytest.raises(ConfigError, match=r"key\.json is no key of a service account"):
        harness.run(load_config(path))


def test_the_doctor_finds_nothing_wrong_and_leaves_nothing(project: Project, standin: Standin) -> None:
    config = filled(project())
    found = doctor(config)
    assert [check for check in found.checks if not check.ok] == []
    assert {name for name in standin.jobs.engine.catalog.tables if name[0] != "loader"} == set()
