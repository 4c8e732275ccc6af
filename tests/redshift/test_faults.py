"""Conflicts, broken connections and refusals: what helps is tried again, what does not is told with what to do."""

import gc
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flow import harness
from standins.redshift import Fault as Injected

from loader.config import Config
from loader.config.warehouses import Redshift
from loader.core.faults import Fault, classified
from loader.core.parts import encoded
from loader.core.report import Part
from loader.core.schema import Column
from loader.core.staging import Delivery
from loader.core.types import ColumnType
from loader.errors import ConfigError, WarehouseBusyError, WarehouseError
from loader.load import doctor
from loader.load.edges import connected
from loader.storage import connect
from loader.warehouses.redshift import PATTERNS, driver
from redshift.project import Place

CONFLICT = Injected(
    'INSERT INTO "web"',
    error="1023",
    detail="Serializable isolation violation on table - 119371, transactions forming the cycle are: 1745830, 1745762",
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.load.retrying._FIRST_WAIT_SECONDS", 0.01)


def events() -> bytes:
    chosen = random.Random(2)
    calls: list[Mapping[str, object]] = [
        {
            "type": kind,
            "messageId": f"m{number}",
            "userId": f"u{number % 3}",
            "receivedAt": f"2026-01-01T05:10:{number:02}Z",
            "event": chosen.choice(("Bought", "Looked")),
            "properties": {"total": number, "tags": ["a", number]},
            "traits": {"plan": chosen.choice(("free", "paid")), "tags": [number]},
        }
        for number, kind in enumerate(("track", "identify", "track", "page", "track", "identify"))
    ]
    return harness.lines(*calls, calls[0])


def loaded(place: Place, folder: Path) -> Config:
    config = place.project(folder)
    harness.put(config, "a.json.gz", events())
    return config


@pytest.fixture(scope="module")
def undisturbed(served: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the tables hold when nothing goes wrong, and how often each kind of statement is sent."""
    with pytest.MonkeyPatch.context() as patch:
        served.tell(patch)
        served.clean()
        config = loaded(served, tmp_path_factory.mktemp("undisturbed"))
        [result] = harness.run(config)
        assert (result.conserved, result.rows, result.duplicates) == (True, 6, 1)
        said = [each.split(" ")[0].upper() for each in served.cluster.log.statements]
        return {"tables": served.tables(), "commits": said.count("COMMIT"), "copies": said.count("COPY")}


def assert_as_undisturbed(place: Place, config: Config, undisturbed: Mapping[str, Any]) -> None:
    assert place.tables() == undisturbed["tables"]
    assert place.query("SELECT sum(unaccounted), count(*) FROM loader.conservation") == [(0, 1)]
    assert place.query("SELECT count(*) FROM loader.leases") == [(0,)]
    assert place.left() == []
    assert harness.run(config) == []


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_a_commit_whose_connection_is_cut(
    after: bool, share: float, place: Place, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    config = loaded(place, tmp_path)
    fault = place.cluster.cut("COMMIT", nth=1 + round(share * (undisturbed["commits"] - 1)), after=after)
    while harness.run(config) == []:  # the claim was done, and its answer lost: the next run finds an open load
        assert fault.seen >= fault.nth
    assert_as_undisturbed(place, config, undisturbed)


@pytest.mark.parametrize(
    "statement", ["COPY", "LOCK", "CREATE TABLE", 'INSERT INTO "web"', 'UPDATE "?loader', "DROP TABLE"]
)
def test_a_statement_whose_connection_is_cut(
    statement: str, place: Place, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    config = loaded(place, tmp_path)
    fault = place.cluster.cut(statement, nth=2)
    [result] = harness.run(config)
    assert fault.seen > fault.nth
    assert result.conserved
    assert_as_undisturbed(place, config, undisturbed)


def test_conflicts_with_other_transactions_are_tried_again(
    place: Place, undisturbed: Mapping[str, Any], tmp_path: Path
) -> None:
    config = loaded(place, tmp_path)
    fault = place.cluster.faults.put(CONFLICT)
    fault.times = 2
    assert harness.run(config)[0].conserved
    assert fault.seen > 2
    assert_as_undisturbed(place, config, undisturbed)


def test_what_redshift_wrote_about_a_copy_is_in_the_error(place: Place, tmp_path: Path) -> None:
    config = loaded(place, tmp_path)
    table = {"#row": pa.array([1], pa.int64()), "total": pa.array(["x"])}
    delivery = Delivery(
        *("f00d", "web", "bought"),
        parts=[Part("f00d/bought/0.parquet", 1, 0, {"total": "integer"})],
        fixed={"#row": ColumnType.INTEGER},
        columns={"total": Column(ColumnType.INTEGER)},
    )
    staging = connect(config.staging.url, access=config.staging.access, base=config.base)
    staging.write("f00d/bought/0.parquet", memoryview(encoded(pa.table(table))))
    with connected(config, staging=staging) as opened, pytest.raises(WarehouseError) as caught, opened.staged(delivery):
        pass
    assert caught.value.fault == "data"
    assert "s3://events/staging/f00d/bought/0.parquet, column total bigint: " in str(caught.value)
    assert "incompatible Parquet schema" in str(caught.value)
    assert place.left() == []


@pytest.mark.parametrize(
    ("codes", "message", "fault"),
    [
        (("XX000", "1023"), "1023: Serializable isolation violation on table - 1", Fault.TRANSIENT),
        (("XX000",), "could not complete because of conflict with concurrent transaction", Fault.TRANSIENT),
        (("40P01",), "deadlock detected", Fault.TRANSIENT),
        ((), "the connection is closed: BrokenPipe: server socket closed.", Fault.TRANSIENT),
        ((), "the connection is closed: connection refused", Fault.TRANSIENT),
        (("28000",), 'password authentication failed for user "x"', Fault.CREDENTIALS),
        (("XX000",), "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1", Fault.PERMISSION),
        (("XX000",), "S3ServiceException:no such key,Status 404,Error NoSuchKey,Rid 1", Fault.MISSING),
        (("XX000",), "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown", Fault.RATE),
        (("42501",), "permission denied for schema web", Fault.PERMISSION),
        (("XX000",), "must be owner of relation bought", Fault.PERMISSION),
        (("53300",), "connection limit exceeded for non-superusers", Fault.CAPACITY),
        (("XX000",), "Disk Full: no space left", Fault.CAPACITY),
        (("57014",), "canceling statement due to statement timeout", Fault.CAPACITY),
        (("XX000",), "Spectrum Scan Error: the length of the data column t is longer than the length", Fault.DATA),
        (("42703",), 'column "x" does not exist', Fault.SCHEMA),
        (("2BP01",), "cannot drop column total because other objects depend on it", Fault.SCHEMA),
        (("3D000",), 'database "nowhere" does not exist', Fault.MISSING),
        (("XX000",), "something else", Fault.UNKNOWN),
    ],
)
def test_errors_are_classed_by_who_must_act(codes: tuple[str, ...], message: str, fault: Fault) -> None:
    assert classified(PATTERNS, codes, message).fault is fault


def test_a_user_who_may_not_is_told_what_to_grant(place: Place, tmp_path: Path) -> None:
    place.query("SELECT 1")
    place.change("DROP ROLE IF EXISTS poor", "CREATE ROLE poor LOGIN PASSWORD 'secret'")
    config = place.project(tmp_path, user='"poor"', password='"env:S3_KEY"')
    with pytest.raises(WarehouseError, match="grant this user CREATE on the database") as caught:
        harness.run(config)
    assert caught.value.fault == "permission"
    failed = [check for check in doctor(config).checks if not check.ok]
    assert [check.name for check in failed] == ["warehouse: ledger"]


def test_without_a_role_or_keys_it_is_said_what_to_set(place: Place, tmp_path: Path) -> None:
    config = place.project(tmp_path, iam_role='""')
    harness.put(config, "a.json.gz", events())
    with pytest.raises(ConfigError, match="neither `iam_role` nor keys"):
        harness.run(config)


def test_keys_are_sent_to_copy_and_nowhere_else(place: Place, tmp_path: Path) -> None:
    keys = {"access_key_id": '"env:S3_KEY"', "secret_access_key": '"env:S3_KEY"'}
    config = place.project(tmp_path, iam_role='""', **keys)
    harness.put(config, "a.json.gz", events())
    assert harness.run(config)[0].conserved
    [first, *_] = [each for each in place.cluster.log.statements if each.startswith("COPY")]
    assert "ACCESS_KEY_ID 'secret' SECRET_ACCESS_KEY 'secret' MANIFEST FORMAT AS PARQUET" in first
    assert "SECRET_ACCESS_KEY" not in str(place.query("SELECT * FROM loader.columns"))


@pytest.mark.filterwarnings("ignore:.*unclosed <socket")  # Amazon's driver leaves it to the collector
def test_nobody_answers(place: Place, tmp_path: Path) -> None:
    settings = place.project(tmp_path, port="1").warehouse
    assert isinstance(settings, Redshift)
    # That what is busy is tried again, is for tests/flow/test_retrying.py.
    with pytest.raises(WarehouseBusyError, match=r"connecting to 127.0.0.1:1/.*check host and port"):
        driver.connect(settings, iter(["mark"]))
    gc.collect()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cluster": "main", "region": "eu-west-1"}, {"cluster_identifier": "main", "db_user": "loader", "iam": True}),
        ({"workgroup": "main"}, {"is_serverless": True, "serverless_work_group": "main", "iam": True}),
    ],
)
def test_aws_credentials_log_in_to_clusters_and_workgroups(
    settings: dict[str, Any], expected: Mapping[str, object]
) -> None:
    found = driver.identity(Redshift(host="h", database="d", user="loader", **settings))
    assert {key: found[key] for key in expected} == expected


def test_the_group_of_queries_is_set(place: Place, tmp_path: Path) -> None:
    config = place.project(tmp_path, query_group='"it\'s ours"')
    assert harness.run(config) == []
    assert "SET query_group TO 'it''s ours'" in place.cluster.log.statements


def test_psycopg_serves_as_well(place: Place, undisturbed: Mapping[str, Any], tmp_path: Path) -> None:
    config = place.project(tmp_path, driver='"psycopg"')
    harness.put(config, "a.json.gz", events())
    place.cluster.cut("COMMIT", nth=undisturbed["commits"] - 2, after=True)
    assert harness.run(config)[0].conserved
    assert_as_undisturbed(place, config, undisturbed)
