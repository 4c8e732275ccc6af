"""The stand-in of Redshift answers as the manual says, through both drivers: `redshift/conformance.sql`.

The same against a real cluster or workgroup, in a schema of its own:

    export LIVE_REDSHIFT_HOST=… LIVE_REDSHIFT_DATABASE=… LIVE_REDSHIFT_USER=… LIVE_REDSHIFT_PASSWORD=…
    export LIVE_REDSHIFT_BUCKET=… LIVE_REDSHIFT_CREDENTIALS="IAM_ROLE '…'"
    make test ARGS="tests/standins/test_redshift.py"

with AWS_* of someone who may write below `conformance/` in that bucket.
"""

import io
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector
from psycopg.conninfo import make_conninfo
from redshift_connector.error import Error as NativeError

from standins import redshift, s3

PROBES_FILE = Path(__file__).parent / "redshift" / "conformance.sql"
_SETTINGS = ("HOST", "DATABASE", "USER", "PASSWORD", "BUCKET")
LIVE = {name: os.environ.get(f"LIVE_REDSHIFT_{name}", "") for name in _SETTINGS}
IS_LIVE = bool(LIVE["HOST"])
Put = Callable[[str, bytes], None]


_AT = pa.array([1_767_225_600_000_000] * 2, pa.timestamp("us", "UTC"))
_WHOLE = {
    "id": pa.array(["a", "b"]),
    "n": pa.array([1, 2], pa.int64()),
    "at": _AT,
    "v": pa.array(['{"a": 1}', "[1]"]),
    "note": pa.array(['x,"y"\\z', None]),
}
FILES = {
    "whole": pa.table(_WHOLE),
    "few": pa.table({name: _WHOLE[name] for name in ("id", "n")}),
    "narrow": pa.table({**_WHOLE, "n": pa.array([1, 2], pa.int32())}),
    "text": pa.table({**_WHOLE, "n": pa.array(["1", "2"])}),
    "nanos": pa.table({**_WHOLE, "at": _AT.cast(pa.timestamp("ns", "UTC"))}),
    "long": pa.table({**_WHOLE, "id": pa.array(["é" * 30, "b"])}),
    "null": pa.table({**_WHOLE, "id": pa.array([None, "b"], pa.string())}),
    "nested": pa.table({**_WHOLE, "v": pa.array([{"a": 1}, {"a": 2}])}),
    "renamed": pa.table(_WHOLE).rename_columns(["e", "d", "c", "b", "a"]),
    "large": pa.table({"t": pa.array(["[" + ", ".join(['"' + "x" * 1000 + '"'] * 70) + "]"] * 2)}),
}


class Probe(NamedTuple):
    """A statement and what is expected of it."""

    id: str
    expected: str
    source: str
    verified: str
    sql: str


def probes() -> list[Probe]:
    """Return the probes of the file, in order."""
    blocks = PROBES_FILE.read_text().split("\n\n")[1:]
    found = []
    for block in blocks:
        head, _, sql = block.strip().partition("\n")
        name, expected, source, verified = head.removeprefix("-- ").split(" | ")
        found.append(Probe(name, expected, source, verified, sql.removesuffix(";")))
    return found


@dataclass(frozen=True, slots=True)
class Service:
    """Where the probes go."""

    host: str
    port: int
    database: str
    user: str
    password: str
    bucket: str
    credentials: str
    cluster: redshift.Redshift | None  # None: it is real


def native(service: Service) -> Any:
    """Return a connection of Amazon's driver."""
    tls: dict[str, Any] = {"ssl": False} if service.cluster else {}
    connection = redshift_connector.connect(
        host=service.host,
        port=service.port,
        database=service.database,
        user=service.user,
        password=service.password,
        **tls,
    )
    connection.autocommit = True
    return connection


def generic(service: Service) -> Any:
    """Return a connection of psycopg."""
    return psycopg.connect(
        host=service.host,
        port=service.port,
        dbname=service.database,
        user=service.user,
        password=service.password,
        client_encoding="utf8",
        autocommit=True,
        sslmode="prefer",
    )


DRIVERS = {"redshift_connector": native, "psycopg": generic}


@contextmanager
def _standin(postgres: str) -> Iterator[tuple[Service, Put]]:
    with s3.serve() as endpoint, redshift.serve(postgres, s3=endpoint) as cluster:
        credentials = "IAM_ROLE 'arn:aws:iam::123456789012:role/copier'"
        at = (cluster.host, cluster.port, cluster.database, cluster.user, cluster.password)
        yield Service(*at, s3.BUCKET, credentials, cluster), lambda key, data: s3.put(endpoint, key, data)


@contextmanager
def _real() -> Iterator[tuple[Service, Put]]:
    import boto3

    client = boto3.client("s3")
    service = Service(
        host=LIVE["HOST"],
        port=int(os.environ.get("LIVE_REDSHIFT_PORT", "5439")),
        database=LIVE["DATABASE"],
        user=LIVE["USER"],
        password=LIVE["PASSWORD"],
        bucket=LIVE["BUCKET"],
        credentials=os.environ["LIVE_REDSHIFT_CREDENTIALS"],
        cluster=None,
    )
    yield service, lambda key, data: client.put_object(Bucket=LIVE["BUCKET"], Key=key, Body=data)


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with _real() if IS_LIVE else _standin(request.getfixturevalue("postgres_server").dsn()) as (found, put):
        for name, table in FILES.items():
            out = io.BytesIO()
            pq.write_table(table, out)
            put(f"conformance/{name}.parquet", out.getvalue())
            entry = {"url": f"s3://{found.bucket}/conformance/{name}.parquet", "mandatory": True}
            entries = [{**entry, "meta": {"content_length": len(out.getvalue())}}]
            put(f"conformance/{name}.manifest", json.dumps({"entries": entries}).encode())
        put("conformance/sizeless.manifest", json.dumps({"entries": [entry]}).encode())
        yield found


def answer(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement; return its rows."""
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def differs(cursor: Any, service: Service, probe: Probe) -> str:
    """Return how the answer differs, or ""."""
    sql = probe.sql.replace("{bucket}", service.bucket).replace("{cred}", service.credentials)
    inside = probe.id.endswith(", in a transaction")
    failed, rows = "", []
    if inside:
        cursor.execute("BEGIN")
    try:
        rows = answer(cursor, sql)
    except (NativeError, psycopg.Error) as error:
        failed = f"{error.args[0] if error.args else error} {getattr(error, 'sqlstate', '')}"
    if inside:
        cursor.execute("ROLLBACK")
    kind, _, wanted = probe.expected.partition(": ")
    match kind:
        case "fails":
            agrees = bool(failed and re.search(wanted.replace("¦", "|"), failed))
        case "rows":
            agrees = not failed and rows == [tuple(row) for row in json.loads(wanted)]
        case _:
            agrees = not failed
    return "" if agrees else f"{probe.id}: wanted {probe.expected}, found {failed or rows}"


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_probe_is_answered_as_the_source_says(driver: str, service: Service) -> None:
    with closing(DRIVERS[driver](service)) as connection:
        cursor = connection.cursor()
        cursor.execute("DROP SCHEMA IF EXISTS conformance CASCADE")
        cursor.execute("CREATE SCHEMA conformance")
        cursor.execute("SET search_path TO conformance, public")
        differing = [found for probe in probes() if (found := differs(cursor, service, probe))]
    assert differing == []


def test_no_probe_claims_to_be_verified_without_a_date() -> None:
    assert [probe.id for probe in probes() if not re.fullmatch(r"no|\d{4}-\d\d-\d\d", probe.verified)] == []
    assert all(probe.source for probe in probes())
    assert len(probes()) > 70


@pytest.mark.skipif(IS_LIVE, reason="a database's isolation is not ours to choose")
def test_transactions_that_read_and_write_one_table_violate_serializable_isolation(service: Service) -> None:
    with closing(native(service)) as one, closing(native(service)) as two:
        first, second = one.cursor(), two.cursor()
        for statement in ("DROP TABLE IF EXISTS public.cycle", "CREATE TABLE public.cycle (n INT)"):
            first.execute(statement)
        for cursor in (first, second):
            cursor.execute("BEGIN")
            cursor.execute("SELECT count(*) FROM public.cycle")
        first.execute("INSERT INTO public.cycle VALUES (1)")
        failures: list[str] = []
        waiting = threading.Thread(target=_insert, args=(second, failures))
        waiting.start()
        first.execute("COMMIT")
        waiting.join(20)
    assert "'M': '1023'" in failures[0]
    assert "Serializable isolation violation on table" in failures[0]


def _insert(cursor: Any, failures: list[str]) -> None:
    try:
        cursor.execute("INSERT INTO public.cycle VALUES (2)")
        cursor.execute("COMMIT")
    except NativeError as error:
        failures.append(str(error))


@pytest.mark.skipif(IS_LIVE, reason="the stand-in's own certificate")
@pytest.mark.parametrize("trusted", [True, False])
# Amazon's driver calls ssl.SSLContext() without a protocol, and forgets its socket where the certificate is refused.
@pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning", "ignore:Exception ignored in. <socket")
def test_the_drivers_speak_tls_and_check_who_answers(
    trusted: bool, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.cluster
    folder = redshift.certificate(tmp_path)
    with redshift.serve(service.cluster.backend, s3="http://127.0.0.1:1", tls=folder) as cluster:
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        how: dict[str, Any] = {"database": cluster.database, "user": cluster.user, "password": cluster.password}
        try:
            with closing(redshift_connector.connect(host="localhost", port=cluster.port, **how)) as connection:
                assert answer(connection.cursor(), "SELECT 1") == [(1,)]
            assert trusted
        except NativeError:
            assert not trusted
        root = str(folder / "ca.pem") if trusted else "/dev/null"
        known = make_conninfo(cluster.backend, host="localhost", port=cluster.port, client_encoding="utf8")
        try:
            with psycopg.connect(make_conninfo(known, sslmode="verify-full", sslrootcert=root)) as other:
                assert other.execute("SELECT 1").fetchall() == [(1,)]
            assert trusted
        except psycopg.OperationalError:
            assert not trusted
