"""The stand-in for Snowflake does what Snowflake does: `standins.snowflake.conformance`, through Snowflake's connector.

The same against a real account, in schemas that are dropped again:

    export LIVE_SNOWFLAKE_ACCOUNT=… LIVE_SNOWFLAKE_USER=… LIVE_SNOWFLAKE_PASSWORD=… LIVE_SNOWFLAKE_DATABASE=…
    export LIVE_SNOWFLAKE_WAREHOUSE=… LIVE_SNOWFLAKE_ROLE=…
    make test ARGS="tests/standins/test_snowflake.py"
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector as connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from standins import snowflake
from standins.snowflake import Account
from standins.snowflake.conformance import RULES, Rule

LIVE = "LIVE_SNOWFLAKE_"
KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """A stand-in for this module."""
    with snowflake.serve(public_key=PUBLIC.decode()) as found:
        yield found


@pytest.fixture
def connect(account: Account) -> Connect:
    """Return a function that connects to the stand-in; more settings replace these."""

    def opened(**settings: Any) -> Any:
        known = {"user": account.user, "password": account.password, "database": "ANALYTICS", "account": "acme"}
        here = {"host": "127.0.0.1", "port": account.port, "protocol": "http"}
        return connector.connect(**{**known, **here, **_quick(), **settings})

    return opened


@pytest.fixture(scope="module")
def asked(account: Account) -> Iterator[Any]:
    """A connection to the real account that the environment names, or to the stand-in."""
    live = {name.removeprefix(LIVE).lower(): value for name, value in os.environ.items() if name.startswith(LIVE)}
    here = {"host": "127.0.0.1", "port": account.port, "protocol": "http", "account": "acme", "user": account.user}
    own = {**here, "password": account.password, "database": "ANALYTICS"}
    with closing(connector.connect(**(live or own), **_quick())) as connection:
        yield connection


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the rules speak of."""
    folder = tmp_path_factory.mktemp("files")
    at = pa.array([datetime(2026, 1, 1, 5, 0, 0, 123456, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    tables = {
        "small": {"id": ["a", "b"], "n": [1, 2], "made": at, "j": ['{"k":1}', None]},
        "null": {"id": pa.array([None], pa.string())},
        "long": {"id": ["x" * 50]},
        "word": {"id": ["w"], "n": ["many"]},
        "more": {"id": ["m"], "n": [7], "extra": ["y"]},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def _quick() -> dict[str, Any]:
    return {"login_timeout": 20, "request_timeout": 20, "enable_server_session_keep_alive_auto_detection": False}


@pytest.mark.parametrize("rule", RULES, ids=[rule.what for rule in RULES])
def test_the_stand_in_keeps_the_rule(asked: Any, files: Path, rule: Rule) -> None:
    schema = f"C{uuid4().hex[:12]}".upper()
    with closing(asked.cursor()) as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
        try:
            for sql in rule.before:
                cursor.execute(_placed(sql, schema, files))
            assert _outcome(cursor, _placed(rule.sql, schema, files), rule.expected) == rule.expected
        finally:
            with suppress(connector.Error):
                cursor.execute("ROLLBACK")
            cursor.execute(f"DROP SCHEMA {schema}")


def _placed(sql: str, schema: str, files: Path) -> str:
    return sql.replace("{s}", schema).replace("{files}", str(files))


def _outcome(cursor: Any, sql: str, expected: object) -> object:
    """Return the first columns of the rows, as many as are expected, or the error number."""
    try:
        rows = cursor.execute(sql).fetchall()
    except connector.Error as error:
        return error.errno
    wide = len(expected[0]) if isinstance(expected, list) and expected else None
    return [tuple(row[:wide]) for row in rows]


def test_every_rule_says_where_it_is_from_and_that_nobody_asked_the_real_service() -> None:
    assert [rule.what for rule in RULES if not rule.source or rule.verified != "no"] == []


WAYS_IN = [
    ({"password": "wrong"}, False),
    ({"user": "somebody"}, False),
    ({"authenticator": "OAUTH", "token": "a token", "password": None}, True),
    ({"authenticator": "OAUTH", "token": "another", "password": None}, False),
    ({"private_key": KEY, "authenticator": "SNOWFLAKE_JWT", "password": None}, True),
    ({"private_key": "another", "authenticator": "SNOWFLAKE_JWT", "password": None}, False),
]


@pytest.mark.parametrize(("settings", "enters"), WAYS_IN)
def test_only_who_knows_the_secret_gets_in(connect: Connect, settings: dict[str, Any], enters: bool) -> None:
    if "private_key" in settings:
        key = rsa.generate_private_key(65537, 2048) if settings["private_key"] == "another" else KEY
        der, pkcs8 = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
        settings = settings | {"private_key": key.private_bytes(der, pkcs8, serialization.NoEncryption())}
    try:
        with closing(connect(**settings)) as connection:
            assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]
            entered = True
    except connector.Error:
        entered = False
    assert entered is enters


def test_a_statement_whose_answer_is_lost_is_not_run_again(account: Account, connect: Connect) -> None:
    with closing(connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE SCHEMA IF NOT EXISTS AGAIN")
        cursor.execute("CREATE OR REPLACE TABLE AGAIN.T (N NUMBER)")
        account.fail({"match": "^INSERT", "act": "after"})
        cursor.execute("INSERT INTO AGAIN.T VALUES (1)")
        assert cursor.execute("SELECT count(*) FROM AGAIN.T").fetchall() == [(1,)]


def test_a_busy_server_is_asked_again(account: Account, connect: Connect) -> None:
    with closing(connect()) as connection:
        account.fail({"match": "^SELECT 7", "act": "status", "status": 503, "times": 2})
        assert connection.cursor().execute("SELECT 7").fetchall() == [(7,)]


def test_a_session_that_never_answers_again_may_have_done_the_work(account: Account, connect: Connect) -> None:
    with closing(connect()) as connection:
        connection.cursor().execute("CREATE SCHEMA IF NOT EXISTS LOST")
        connection.cursor().execute("CREATE OR REPLACE TABLE LOST.T (N NUMBER)")
    account.fail({"match": "^COMMIT", "act": "lost"})
    with suppress(connector.Error), closing(connect(request_timeout=1)) as connection:
        cursor = connection.cursor()
        for sql in ("BEGIN", "INSERT INTO LOST.T VALUES (1)", "COMMIT"):
            cursor.execute(sql)
        raise AssertionError("the answer to COMMIT was to be lost")
    with closing(connect()) as connection:
        assert connection.cursor().execute("SELECT count(*) FROM LOST.T").fetchall() == [(1,)]


def test_the_two_sides_agree_about_the_version_of_the_connector() -> None:
    assert re.match(r"5\.", connector.__version__), "the loader is tested with connector 5"
