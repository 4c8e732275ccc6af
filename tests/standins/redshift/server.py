"""The server: a socket that serves each client in a thread, S3 for COPY, and the certificate for TLS."""

import datetime
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, create_server, socket
from threading import Thread
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from standins.redshift.backend import SERIALIZABLE, SNAPSHOT
from standins.redshift.copying import LoadError
from standins.redshift.faults import Fault, Faults
from standins.redshift.protocol import RedshiftError
from standins.redshift.session import Cluster, Done, Log, Session

ISOLATION = {"serializable": SERIALIZABLE, "snapshot": SNAPSHOT}


@dataclass(frozen=True, slots=True)
class Redshift:
    """A running stand-in."""

    host: str
    port: int
    database: str
    user: str
    password: str
    faults: Faults
    log: Log
    backend: str  # conninfo of PostgreSQL itself, past the proxy

    def cut(self, statement: str, *, nth: int = 1, after: bool = False) -> Fault:
        """Let the n-th such statement lose its connection, before it is done or after."""
        return self.faults.put(Fault(statement, nth=nth, after=after))


@contextmanager
def serve(
    postgres: str, *, s3: str, isolation: str = "serializable", tls: Path | None = None, port: int = 0
) -> Iterator[Redshift]:
    """Yield a Redshift in a database of its own in a PostgreSQL (`postgres`: a conninfo), whose S3 is an endpoint.

    `isolation`: "serializable", or "snapshot", the default of databases made since 2024. `tls`: a folder with what
    `certificate` wrote.
    """
    own = _database(postgres)
    info = conninfo_to_dict(own)
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
    bucket, faults, log = _S3(s3), Faults(), Log()
    backend = (str(info["host"]), int(info.get("port") or 5432))
    reading = (bucket.get, bucket.listing, _noting(own), _naming(own), _remembering(own))
    cluster = Cluster(backend, ISOLATION[isolation], context, *reading, faults, log)
    with create_server(("127.0.0.1", port), backlog=64) as listener:
        Thread(target=_accept, args=(listener, cluster), daemon=True).start()
        host, own_port = listener.getsockname()
        user, password = str(info["user"]), str(info.get("password") or "")
        yield Redshift(host, own_port, str(info["dbname"]), user, password, faults, log, own)


def _database(postgres: str) -> str:
    """Make a database with what Redshift has and PostgreSQL has not; return its conninfo."""
    name = f"redshift_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as own:
        own.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'".encode())
        # Redshift joins by hash what is large; PostgreSQL, which has not counted the rows yet, takes them for few.
        own.execute(f"ALTER DATABASE {name} SET enable_nestloop = off".encode())
    made = make_conninfo(postgres, dbname=name)
    with psycopg.connect(made, autocommit=True) as own:
        own.execute(Path(__file__).with_name("setup.sql").read_bytes())
    return made


def _accept(listener: socket, cluster: Cluster) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # the listener is closed: the server ends
            return
        client.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        Thread(target=_serve_one, args=(client, cluster), daemon=True).start()


def _serve_one(client: socket, cluster: Cluster) -> None:
    try:
        session = Session(client, cluster)
    except OSError:  # PostgreSQL is gone
        client.close()
        return
    session.run()


_STL = """INSERT INTO public.stl_load_errors
  (userid, session, starttime, query, filename, line_number, colname, type, col_length, err_code, err_reason)
VALUES (100, %s, clock_timestamp(), 1, %s, 0, %s, %s, %s, 1204, left(%s, 100))"""
_SYS = """INSERT INTO public.sys_load_error_detail (user_id, session_id, start_time, query_id, file_name, line_number,
  column_name, column_type, column_length, error_code, error_message)
VALUES (100, %s, clock_timestamp(), 1, %s, 0, %s, %s, %s, 1204, left(%s, 512))"""


def _noting(postgres: str) -> Any:
    def note(pid: int, error: LoadError) -> None:
        place = (error.file[:256], error.column[:127], error.kind[:30], error.size[:10])
        with psycopg.connect(postgres, autocommit=True) as own:
            for statement in (_STL, _SYS):
                own.execute(statement, (pid, *place, error.reason))

    return note


def _naming(postgres: str) -> Any:
    known: set[str] = set()

    def note(names: dict[str, str]) -> None:
        new = names.items() - {(short, names[short]) for short in names if short in known}
        if new:
            with psycopg.connect(postgres, autocommit=True) as own:
                for pair in new:
                    own.execute("INSERT INTO public.rs_names VALUES (%s, %s) ON CONFLICT DO NOTHING", pair)
            known.update(short for short, _ in new)

    return note


_READS = ("copy", "delete", "insert", "select", "update")  # which have steps, of which one scans
_SCANNED_BYTES, _ELAPSED_MICROSECONDS = 1 << 20, 250_000  # of each: Redshift's block, and a quarter of a second


def _remembering(postgres: str) -> Any:
    def note(done: list[Done]) -> None:
        with psycopg.connect(postgres, autocommit=True) as own, own.cursor() as cursor:
            for each in done:
                asked = "SELECT nextval('public.rs_query')"
                [(query,)] = cursor.execute(asked).fetchall()
                said = (query, each.said[:4000], each.pid, each.status, _ELAPSED_MICROSECONDS)
                cursor.execute(_QUERY, said)
                if each.tag in _READS:
                    steps = [("step", "scan"), ("step", "hash"), ("segment", "scan"), ("child query", "scan")]
                    cursor.executemany(_STEP, [(query, *step, _SCANNED_BYTES) for step in steps])

    return note


_QUERY = """INSERT INTO public.sys_query_history
  (user_id, query_id, query_text, session_id, status, elapsed_time, start_time, query_type)
VALUES (100, %s, %s, %s, %s, %s, clock_timestamp() AT TIME ZONE 'UTC', 'OTHER')"""
_STEP = """INSERT INTO public.sys_query_detail (user_id, query_id, metrics_level, step_name, input_bytes, start_time)
VALUES (100, %s, %s, %s, %s, clock_timestamp() AT TIME ZONE 'UTC')"""


class _S3:
    """Objects of an S3 endpoint; its errors as Redshift words them."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="cluster",
            aws_secret_access_key="cluster",
        )

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        with _translated(self._client):
            content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            return content

    def listing(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        with _translated(self._client):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [each["Key"] for page in pages for each in page.get("Contents", [])]


@contextmanager
def _translated(client: Any) -> Iterator[None]:
    try:
        yield
    except client.exceptions.ClientError as error:
        told, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise RedshiftError(
            f"S3ServiceException:{told.get('Message', '')},Status {status},Error {told['Code']},Rid 1,ExtRid 1"
        ) from error


def certificate(folder: Path) -> Path:
    """Write `ca.pem`, `server.pem` and `server.key` for localhost and 127.0.0.1 into a folder; return it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _signed("stand-in CA", authority, "stand-in CA", authority, x509.BasicConstraints(ca=True, path_length=0))
    own = _signed("localhost", server, "stand-in CA", authority, x509.SubjectAlternativeName(names))
    pem = serialization.Encoding.PEM
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(own.public_bytes(pem))
    plain = serialization.NoEncryption()
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.key").write_bytes(key)
    return folder


def _signed(subject: str, key: Any, issuer: str, by: Any, extension: Any) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(extension, critical=False)
        .sign(by, hashes.SHA256())
    )
