"""The stand-in for Cloud Storage does what Cloud Storage does: gcs/conformance.toml, and Google's own client.

The rules against the real service, below a prefix that is removed again, as application default credentials say:

    export LIVE_GCS_BUCKET=…
    make test ARGS="tests/standins/test_gcs.py"
"""

import gzip
import http.client
import io
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from standins import gcs
from standins.gcs import Cloud

BUCKET = "events"
RULES = tomllib.loads((Path(gcs.__file__).parent / "conformance.toml").read_text())["rule"]


class Service(NamedTuple):
    """Where the rules are tried: the stand-in, or the real service."""

    address: str
    bucket: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What came."""

    status: int
    headers: http.client.HTTPMessage
    body: str  # a character for each byte


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with gcs.serve(BUCKET) as found:
        yield found


@pytest.fixture(scope="module")
def asked(cloud: Cloud) -> Service:
    live = os.environ.get("LIVE_GCS_BUCKET")
    if not live:
        return Service(cloud.endpoint, BUCKET, {})
    import google.auth
    from google.auth.transport.requests import Request

    credentials: Any = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.read_write"])[0]
    credentials.refresh(Request())
    return Service("https://storage.googleapis.com", live, {"Authorization": f"Bearer {credentials.token}"})


def send(service: Service, prefix: str, written: str) -> Answer:
    """Send a request of a rule."""
    head, _, content = written.partition(" < ")
    first, *more = head.split(" | ")
    method, _, target = first.partition(" ")
    headers = {**service.headers, **dict(each.split(": ", 1) for each in more)}
    places = {
        "{xmls}": f"/{service.bucket}?list-type=2&prefix={prefix}",
        "{xml}": f"/{service.bucket}/{prefix}",
        "{jsons}": f"/storage/v1/b/{service.bucket}/o?prefix={prefix}",
        "{json}": f"/storage/v1/b/{service.bucket}/o/{quote(prefix, safe='')}",
        "{upload}": f"/upload/storage/v1/b/{service.bucket}/o?name={prefix}",
        "{p}": prefix,
    }
    for name, place in places.items():
        target, content = target.replace(name, place), content.replace(name, place)
    url = urlsplit(service.address)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=60)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        data = gzip.compress(content[5:].encode()) if content.startswith("gzip:") else content.encode()
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode("latin-1"))
    finally:
        connection.close()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["what"])
def test_a_rule_holds(rule: Mapping[str, Any], asked: Service) -> None:
    prefix = f"conformance-{uuid4().hex}/"
    try:
        for step in rule.get("before", ()):
            assert send(asked, prefix, step).status == 200, step
        found = send(asked, prefix, rule["ask"])
        assert found.status == rule["status"], found
        assert re.search(rule.get("body", "").replace("{p}", re.escape(prefix)), found.body, re.DOTALL), found.body
        for name, pattern in rule.get("headers", {}).items():
            assert re.search(pattern, found.headers[name] or ""), (name, found.headers[name])
    finally:
        removed(asked, prefix)


def removed(service: Service, prefix: str) -> None:
    """Remove what a rule made."""
    listed = send(service, prefix, "GET {jsons}").body
    for name in re.findall(r'"name": ?"([^"]+)"', listed):
        name = name.encode().decode("unicode_escape").removeprefix(prefix)
        send(service, prefix, f"DELETE {{xml}}{quote(name, safe='')}")


def test_every_rule_has_a_source_and_says_whether_it_was_verified() -> None:
    assert len({rule["what"] for rule in RULES}) == len(RULES)
    assert not [rule["what"] for rule in RULES if not rule["source"].startswith("https://cloud.google.com/")]
    assert {rule["verified"] for rule in RULES} == {"no"}


@pytest.fixture
def client(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> storage.Bucket:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.endpoint)
    nobody: Any = AnonymousCredentials
    return storage.Client(project="p", credentials=nobody()).bucket(BUCKET)


def test_googles_client_writes_reads_and_lists(client: storage.Bucket) -> None:
    for number in range(30):
        client.blob(f"l/{number:03}").upload_from_string(b"%d" % number)
    assert client.blob("l/007").download_as_bytes() == b"7"
    assert client.blob("l/012").download_as_bytes(start=1, end=1) == b"2"
    pages = client.client.list_blobs(BUCKET, prefix="l/", page_size=7).pages
    assert [len(list(page)) for page in pages] == [7, 7, 7, 7, 2]
    found = client.client.list_blobs(BUCKET, start_offset="l/025", end_offset="l/028")
    assert [blob.name for blob in found] == ["l/025", "l/026", "l/027"]


def test_googles_client_sees_generations_and_checksums(client: storage.Bucket) -> None:
    blob = client.blob("g/1")
    blob.upload_from_string(b"hello", checksum="crc32c")
    first = blob.generation
    with pytest.raises(PreconditionFailed):
        client.blob("g/1").upload_from_string(b"x", if_generation_match=0)
    client.blob("g/1").upload_from_string(b"other", if_generation_match=first)
    found = client.get_blob("g/1")
    assert found is not None
    assert (found.size, found.md5_hash) == (5, "eV8yArF8trw9S3cdjGyerw==")
    assert found.generation > first
    with pytest.raises(NotFound):
        client.blob("g/2").download_as_bytes()


def test_googles_client_uploads_in_chunks(client: storage.Bucket) -> None:
    data = os.urandom(700_000)
    client.blob("r/1", chunk_size=256 * 1024).upload_from_file(io.BytesIO(data))
    assert client.blob("r/1").download_as_bytes() == data


def test_googles_client_unpacks_unless_told_not_to(client: storage.Bucket) -> None:
    blob = client.blob("z/1")
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"plain"))
    assert blob.download_as_bytes() == b"plain"
    assert blob.download_as_bytes(raw_download=True)[:2] == b"\x1f\x8b"
