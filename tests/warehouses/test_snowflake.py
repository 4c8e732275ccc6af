"""Snowflake's adapter alone, by Snowflake's own connector; what all warehouses share is in `tests/contract`."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flow import harness
from standins import s3
from standins import snowflake as standin
from standins.snowflake import Account

from loader.config import Config, load_config
from loader.config.warehouses import Snowflake
from loader.core.faults import Fault
from loader.core.types import ColumnType
from loader.core.warehouse import Site
from loader.errors import ConfigError, LeaseError, LoaderError, WarehouseBusyError, WarehouseError
from loader.load import doctor
from loader.load.edges import connected
from loader.storage import connect as connect_store
from loader.warehouses.snowflake import connect
from loader.warehouses.snowflake.faults import FAULTS
from warehouses.snowflake import asked, carried_out, orders

PASSPHRASE = "a passphrase"
Project = Callable[..., Config]


@pytest.fixture
def project(tmp_path: Path, snowflake_account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Return a function that makes a project with a database of its own; more settings as TOML text."""
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", snowflake_account.password)

    def make(
        warehouse: str = 'password = "env:SNOWFLAKE_PASSWORD"',
        *,
        rest: str = "",
        at: Account = snowflake_account,
        endpoint: str = "",
    ) -> Config:
        endpoint = endpoint or f"http://127.0.0.1:{at.port}"
        known = f'account = "acme"\nuser = "LOADER"\ndatabase = "{at.database()}"\nwarehouse = "LOADING"\nattempts = 1'
        source = f'[sources.web]\nurl = "events"\nlayout = "{harness.LAYOUT}"'
        load = '[load]\nworkers = 1\nlock_wait = "20s"\nlease_ttl = "2s"'
        (tmp_path / "events").mkdir(exist_ok=True)
        path = tmp_path / "loader.toml"
        path.write_text(f'[warehouse]\nkind = "snowflake"\n{known}\n{warehouse}\nendpoint = "{endpoint}"\n')
        path.write_text(f"{path.read_text()}{load}\n{rest}\n{source}\n")
        return load_config(path)

    yield make
    snowflake_account.fail()


def test_a_load_leaves_tables_in_upper_case_and_nothing_in_staging(
    project: Project, snowflake_account: Account
) -> None:
    config = project()
    harness.put(config, "a.jsonl.gz", orders(30) + orders(1))
    before = len(snowflake_account.statements())
    [result] = harness.run(config)
    assert (result.state, result.rows, result.duplicates, result.conserved) == ("done", 30, 1, True)
    [(number, tags)] = asked(config, 'SELECT "N", "TAGS" FROM web.order_completed WHERE id = \'m7\'')
    assert (number, json.loads(tags)) == (7, ["a", 7])
    said = snowflake_account.statements()[before:]
    assert {tag for tag, _ in said} == {"loader"}
    assert sum(sql.startswith("COPY") for _, sql in said) == 2, "one COPY per table: tracks, order_completed"
    left = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'LOADER_STAGING'"
    assert asked(config, left) == []
    assert isinstance(config.warehouse, Snowflake)
    files = snowflake_account.stages()["files"]
    assert [file for file in files if file.startswith(config.warehouse.database)] == []


def test_everything_that_a_load_needs_can_be_tried(project: Project) -> None:
    found = doctor(project()).checks
    assert [(each.name, each.detail) for each in found if not each.ok] == []


def test_a_refusal_names_the_step_and_the_remedy(project: Project, snowflake_account: Account) -> None:
    config = project()
    refusal = {"code": 3001, "state": "42501", "message": "Insufficient privileges to operate on schema"}
    snowflake_account.fail({"match": '^CREATE SCHEMA .*"LOADER_DOCTOR"', "act": "error", "times": 9, **refusal})
    failed = [each for each in doctor(config).checks if not each.ok]
    assert ["003001" in each.detail and "grant" in each.detail for each in failed] == [True]


WAYS_IN = [
    ('password = "env:SNOWFLAKE_PASSWORD"', ""),
    ('oauth_token = "a token"', ""),
    ('private_key_file = "key.p8"\nprivate_key_passphrase = "a passphrase"', ""),
    ('password = "wrong"', "private_key_file"),  # the remedy names all ways in
    ('oauth_token = "wrong"', "oauth_token"),
    ('private_key_file = "other.p8"\nprivate_key_passphrase = "a passphrase"', "RSA_PUBLIC_KEY"),
    ("", "needs one of password, private_key_file and oauth_token; found none"),
    ('password = "x"\noauth_token = "y"', "found password and oauth_token"),
]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with key.p8 and other.p8, and the public key of the first."""
    folder, publics = tmp_path_factory.mktemp("keys"), []
    for name in ("key.p8", "other.p8"):
        key = rsa.generate_private_key(65537, 2048)
        encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        (folder / name).write_bytes(key.private_bytes(pem, pkcs8, encryption))
        publics.append(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return folder, publics[0].decode()


@pytest.fixture(scope="module")
def keyed(keys: tuple[Path, str]) -> Iterator[Account]:
    """A stand-in that knows the key, and buckets."""
    with s3.serve("parts") as endpoint:
        access = {"endpoint_url": endpoint, "aws_access_key_id": "k", "aws_secret_access_key": "s"}
        with standin.serve(public_key=keys[1], s3={**access, "region_name": s3.REGION}) as account:
            yield account


@pytest.mark.parametrize(("way", "refusal"), WAYS_IN, ids=[way.partition("\n")[0] or "none" for way, _ in WAYS_IN])
def test_each_way_in(project: Project, keyed: Account, keys: tuple[Path, str], way: str, refusal: str) -> None:
    config = project(way.replace('file = "', f'file = "{keys[0]}/'), at=keyed)
    if not refusal:
        assert asked(config, "SELECT 1") == [(1,)]
        return
    with pytest.raises(LoaderError) as caught:
        asked(config, "SELECT 1")
    assert refusal in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert PASSPHRASE not in str(caught.value)


def test_wrong_words_are_refused_by_what_to_do(project: Project, snowflake_account: Account) -> None:
    config = project()
    for code, state, message, fault in REFUSALS:
        snowflake_account.fail(
            {"match": "^SELECT 41", "act": "error", "code": code, "state": state, "message": message}
        )
        with pytest.raises(WarehouseError) as caught:
            asked(config, "SELECT 41")
        assert caught.value.fault == fault.value, message
        assert caught.value.transient is (fault in (Fault.CAPACITY, Fault.RATE, Fault.TRANSIENT)), message


REFUSALS = [
    (3001, "42501", "SQL access control error: Insufficient privileges to operate on table 'T'", Fault.PERMISSION),
    (2003, "42S02", "SQL compilation error: Object 'T' does not exist or not authorized.", Fault.SCHEMA),
    (2003, "02000", "SQL compilation error: Stage 'S' does not exist or not authorized.", Fault.MISSING),
    (606, "57P03", "No active warehouse selected in the current session.", Fault.MISSING),
    (608, "57P03", "Warehouse 'W' cannot be used: it is suspended.", Fault.CAPACITY),
    (
        90073,
        "57014",
        "Warehouse 'W' cannot be resumed: resource monitor 'M' exceeded its quota.",
        Fault.CAPACITY,
    ),
    (625, "57014", "Statement was aborted because the lock was held by another transaction.", Fault.TRANSIENT),
    (904, "42000", "SQL compilation error: invalid identifier 'C'", Fault.SCHEMA),
    (90105, "22000", "Cannot perform SELECT. This session does not have a current database.", Fault.MISSING),
    (100038, "22018", "Numeric value 'a secret' is not recognized", Fault.DATA),
    (100078, "22000", "String 'a secret' is too long and would be truncated", Fault.DATA),
    (100072, "22000", "NULL result in a non-nullable column", Fault.DATA),
    (390112, "08001", "Your session has expired. Please login again.", Fault.TRANSIENT),
    (1003, "42000", "SQL compilation error: syntax error", Fault.UNKNOWN),
]


def test_an_error_in_the_data_does_not_tell_the_data(project: Project, snowflake_account: Account) -> None:
    refusal = {"code": 100038, "state": "22018", "message": "Numeric value 'a secret' is not recognized"}
    snowflake_account.fail({"match": "^SELECT 42", "act": "error", **refusal})
    with pytest.raises(WarehouseError, match="100038") as caught:
        asked(project(), "SELECT 42 AS \"C\" WHERE 'another secret' = 'x'")
    assert "secret" not in str(caught.value)


def test_every_remedy_says_what_to_do() -> None:
    assert [each for each in FAULTS if len(each.remedy) < 20] == []


def test_a_server_that_is_not_there_may_come_back(project: Project, tmp_path: Path) -> None:
    config = project('password = "x"\ntimeout = "1s"', endpoint="http://127.0.0.1:1")
    assert isinstance(config.warehouse, Snowflake)
    site = Site(connect_store(str(tmp_path), base=tmp_path), local=str, threads=1, wait_seconds=1)
    with pytest.raises(WarehouseBusyError, match="Snowflake: logging in"):
        connect(config.warehouse, site)


def test_lost_answers_lose_and_double_nothing(project: Project, snowflake_account: Account) -> None:
    config = project()
    harness.put(config, "a.jsonl.gz", orders(20))
    snowflake_account.fail(*({"match": sql, "act": act} for sql, act in LOST))
    carried_out(config)
    assert asked(config, "SELECT count(*), count(DISTINCT id) FROM web.order_completed") == [(20, 20)]
    assert asked(config, "SELECT count(*), count(DISTINCT id) FROM web.tracks") == [(20, 20)]


LOST = [
    ("^COPY", "before"),
    ('^INSERT INTO "WEB"."TRACKS"', "lost"),
    ('^INSERT INTO "WEB"."ORDER_COMPLETED"', "dead"),
    ("^INSERT INTO .*LOAD_TABLES", "lost"),
    ("^COMMIT", "after"),
    ("^MERGE", "dead"),
]


@pytest.mark.parametrize("skip", [0, 3])
def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    project: Project, snowflake_account: Account, skip: int
) -> None:
    config = project()
    harness.put(config, "a.jsonl.gz", orders(5))
    snowflake_account.fail({"match": "^COMMIT", "act": "lost", "skip": skip})
    carried_out(config)
    assert asked(config, "SELECT count(*) FROM web.order_completed") == [(5,)]
    assert asked(config, 'SELECT events, "ROWS", unaccounted FROM loader.conservation') == [(5, 5, 0)]


def test_a_merge_whose_lease_was_taken_over_adds_nothing(project: Project, snowflake_account: Account) -> None:
    config = project()
    harness.put(config, "a.jsonl.gz", orders(5))
    assert isinstance(config.warehouse, Snowflake)
    leases = f"{config.warehouse.database}.LOADER.LEASES"
    snowflake_account.fail(
        {"match": "^INSERT INTO .*LOAD_TABLES", "act": "run", "run": f"UPDATE {leases} SET TOKEN = 'x'"}
    )
    with pytest.raises(LeaseError, match="another load took over"):
        harness.run(config)
    assert asked(config, "SELECT count(*) FROM web.tracks") == [(0,)]


def test_parts_in_a_bucket_are_copied_from_an_external_stage(project: Project, keyed: Account) -> None:
    endpoint = keyed.s3["endpoint_url"]
    access = (
        f'access = {{ endpoint = "{endpoint}", region = "{s3.REGION}", access_key_id = "k", secret_access_key = "s" }}'
    )
    rest = f'[staging]\nurl = "s3://parts/here"\n{access}'
    keyed.run("CREATE DATABASE IF NOT EXISTS SHARED", "CREATE SCHEMA IF NOT EXISTS SHARED.PUBLIC")
    keyed.run("CREATE STAGE SHARED.PUBLIC.PARTS URL = 's3://parts/here/' STORAGE_INTEGRATION = ours")
    config = project('oauth_token = "a token"\nstage = "SHARED.PUBLIC.PARTS"', rest=rest, at=keyed)
    harness.put(config, "a.jsonl.gz", orders(30))
    [result] = harness.run(config)
    assert (result.state, result.rows, result.problems) == ("done", 30, ())
    said = [sql for _, sql in keyed.statements()]
    assert not [sql for sql in said if sql.startswith(("PUT", "REMOVE"))]


def test_rows_come_back_as_they_were_appended(project: Project) -> None:
    at = datetime(1, 1, 1, tzinfo=UTC)
    rows = [("a'\"\\\n?%s\u2028é😀", 2**63 - 1, 0.1, True, at, '{"a":[1,"?"]}'), (None,) * 6]
    kinds = (ColumnType.STRING, ColumnType.INTEGER, ColumnType.DOUBLE, ColumnType.BOOLEAN, ColumnType.TIMESTAMP)
    columns = dict(zip("abcdef", (*kinds, ColumnType.JSON), strict=True))
    with connected(project()) as opened, opened.session() as session:
        relation = session.scratch("kept", columns)
        session.append(relation, tuple(columns), rows)
        assert sorted(session.execute(f"SELECT * FROM {relation}"), key=lambda row: row[0] is None) == rows


def test_many_rows_are_appended_in_few_statements(project: Project, snowflake_account: Account) -> None:
    with connected(project()) as opened, opened.session() as session:
        relation = session.scratch("many", {"a": ColumnType.STRING})
        before = len(snowflake_account.statements())
        session.append(relation, ("a",), [("x" * 100_000,)] * 25)
        assert len(snowflake_account.statements()) - before == 4  # BEGIN, and three of a million characters at most
        assert session.execute(f"SELECT count(*), min(length(a)) FROM {relation}") == [(25, 100_000)]


def test_without_the_connector_the_error_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "snowflake", None)
    with pytest.raises(ConfigError, match="warehouse-loader\\[snowflake\\]"), connected(project()):
        raise AssertionError("there is no connector")
