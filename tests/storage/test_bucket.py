"""What only a bucket can do: credentials, refusals, keys made by others, a connection that no fork survives."""

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standins import s3

from loader.config import Access, Secret
from loader.core.objects import File, Store
from loader.errors import AccessError, ConfigError, ObjectChangedError, StorageError
from loader.storage import connect
from loader.storage.credentials import options

HERE = Path()
LISTED = File("a", '"etag"', 1, datetime(2026, 1, 1, tzinfo=UTC))
SECRETS = ("AKIDKEY", "verysecret", "thetoken", "Debug source")
PROCESS = """
import json, sys, time
told = {"Version": 1, "AccessKeyId": f"{time.time_ns():x}", "SecretAccessKey": "s", "SessionToken": "t"}
print(json.dumps({**told, "Expiration": sys.argv[1]}))
"""
FORK = """
import os, sys
from pathlib import Path
from loader.storage import connect
from loader.errors import StorageError
store = connect("s3://events", base=Path())
list(store.list("nothing/"))
child = os.fork()
if child == 0:
    for call in (lambda: list(store.list()), lambda: connect("s3://events", base=Path())):
        try:
            call()
        except StorageError as error:
            assert "spawn" in str(error)
        else:
            os._exit(1)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No credentials but those a test sets, whoever runs it."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "ENDPOINT_URL", "ENDPOINT_URL_S3"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_REGION", s3.REGION)
    return monkeypatch


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    return tmp_path.name


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3.serve() as address:
        yield address


def access(endpoint: str) -> Access:
    return Access(
        endpoint=endpoint,
        region=s3.REGION,
        access_key_id=Secret("AKIDKEY"),
        secret_access_key=Secret("verysecret"),
        session_token=Secret("thetoken"),
    )


def bucket(endpoint: str, url: str = "s3://events") -> Store:
    return connect(url, access=access(endpoint), base=HERE)


def keys(store: Store) -> list[str]:
    return [file.key for file in store.list()]


CALLS: dict[str, Callable[[Store, File], object]] = {
    "list": lambda store, _: list(store.list()),
    "read": lambda store, file: list(store.read(file)),
    "write": lambda store, _: store.write("a", b"1"),
    "create": lambda store, _: store.create("a", b"1"),
    "delete": lambda store, _: store.delete(["a"]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("status", "code", "expected", "words"),
    [
        (403, "AccessDenied", AccessError, "not permitted"),
        (403, "InvalidAccessKeyId", AccessError, "not permitted"),
        (401, "Unauthorized", AccessError, "not permitted"),
        (400, "ExpiredToken", AccessError, "not permitted"),
        (301, "PermanentRedirect", StorageError, "set `region`"),
        (400, "AuthorizationHeaderMalformed", StorageError, "set `region`"),
        (400, "InvalidRequest", StorageError, "InvalidRequest"),
        (400, "KMS.DisabledException", AccessError, r"the key that encrypts it cannot be used: .*KMS\.Disabled"),
        (403, "InvalidObjectState", StorageError, "is archived: .*restore it"),
        (403, "RequestTimeTooSkewed", StorageError, "the clock of this machine is wrong"),
    ],
)
def test_a_refusal_is_told_by_who_must_act_and_shows_no_secret(
    call: Callable[[Store, File], object], status: int, code: str, expected: type[StorageError], words: str
) -> None:
    with s3.refuse(status, code) as (endpoint, _):
        store = bucket(endpoint)
        with pytest.raises(StorageError, match=f"s3://events.*{words}") as caught:
            call(store, LISTED)
    assert type(caught.value) is expected
    assert "\n" not in str(caught.value)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_missing_bucket_is_an_error_whatever_is_asked(call: Callable[[Store, File], object], endpoint: str) -> None:
    with pytest.raises(StorageError, match=r"s3://nowhere.*the bucket does not exist") as caught:
        call(bucket(endpoint, "s3://nowhere"), LISTED)
    assert type(caught.value) is StorageError


def test_a_page_for_people_is_no_empty_bucket() -> None:
    with (
        s3.refuse(200, "Welcome") as (endpoint, _),
        pytest.raises(StorageError, match="what answers is no object store"),
    ):
        list(bucket(endpoint).list())


def test_an_object_that_only_marks_a_folder_is_not_listed(endpoint: str, prefix: str) -> None:
    for key in ("d/", "d/a", "d/e/", "empty"):
        s3.put(endpoint, f"{prefix}/{key}", b"1" if key == "d/a" else b"")
    assert keys(bucket(endpoint, f"s3://events/{prefix}")) == ["d/a", "empty"]


def test_a_folder_mark_hides_nothing_and_doubles_nothing(endpoint: str, prefix: str) -> None:
    for key in ("", "/", "/d", "/d/", "/a"):
        s3.put(endpoint, f"{prefix}{key}", b"")
    store = bucket(endpoint, f"s3://events/{prefix}")
    assert keys(store) == ["a", "d"]
    assert [file.key for file in store.list("a")] == ["a"]
    assert [file.key for file in store.list("d")] == ["d"]


def test_a_prefix_with_and_without_slash_is_one_store(endpoint: str, prefix: str) -> None:
    bucket(endpoint, f"s3://events/{prefix}/q").write("a", b"1")
    bucket(endpoint, f"s3://events/{prefix}/qr").write("a", b"1")
    assert keys(bucket(endpoint, f"s3://events/{prefix}/q/")) == ["a"]
    assert bucket(endpoint, f"s3://events/{prefix}/q/") == bucket(endpoint, f"s3://events/{prefix}/q")
    assert keys(bucket(endpoint, f"s3://events/{prefix}")) == ["q/a", "qr/a"]


def test_a_listing_of_many_pages_is_whole_and_goes_on_anywhere(
    environment: pytest.MonkeyPatch, endpoint: str, prefix: str
) -> None:
    environment.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    store = bucket(endpoint, f"s3://events/{prefix}")
    expected = [f"d/{number:02}" for number in range(35)]
    for key in expected:
        store.write(key, b"1")
    assert keys(store) == expected
    assert [file.key for file in store.list("d/1", after="d/11")] == expected[12:20]


def test_a_compressed_object_arrives_as_stored_whatever_its_name(endpoint: str, prefix: str) -> None:
    s3.put(endpoint, f"{prefix}/a.json", b"\x1f\x8b\x08 not really gzip")
    store = bucket(endpoint, f"s3://events/{prefix}")
    (file,) = store.list()
    assert b"".join(store.read(file)) == b"\x1f\x8b\x08 not really gzip"


def test_an_object_gone_before_its_second_chunk_is_noticed(endpoint: str, prefix: str) -> None:
    store = bucket(endpoint, f"s3://events/{prefix}")
    store.write("a", bytes(9_000_000))
    (file,) = store.list()
    chunks = store.read(file)
    next(chunks)
    store.delete(["a"])
    with pytest.raises(ObjectChangedError, match="/a was rewritten or deleted"):
        next(chunks)


def test_keys_in_the_settings_are_not_mixed_with_a_token_of_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_SESSION_TOKEN", "of somebody else")
    with s3.refuse(403, "AccessDenied") as (endpoint, seen):
        own = Access(endpoint=endpoint, access_key_id=Secret("OWN"), secret_access_key=Secret("x"))
        with pytest.raises(AccessError):
            list(connect("s3://events", access=own, base=HERE).list())
    assert "Credential=OWN/" in seen[0]["authorization"]
    assert "x-amz-security-token" not in seen[0]


def test_without_settings_the_environment_says_where_and_who(environment: pytest.MonkeyPatch) -> None:
    with s3.refuse(403, "AccessDenied") as (endpoint, seen):
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        environment.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "x")
        with pytest.raises(AccessError):
            list(connect("s3://events", base=HERE).list())
    assert "Credential=ENVIRONMENT/" in seen[0]["authorization"]


@pytest.mark.parametrize(("profile", "variable"), [("team", None), (None, "team"), (None, None)])
def test_profiles_are_found(
    environment: pytest.MonkeyPatch, tmp_path: Path, profile: str | None, variable: str | None
) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=x\n"
        "[team]\naws_access_key_id=TEAM\naws_secret_access_key=x\n"
    )
    if variable:
        environment.setenv("AWS_PROFILE", variable)
    with s3.refuse(403, "AccessDenied") as (endpoint, seen), pytest.raises(AccessError):
        list(connect("s3://events", access=Access(endpoint=endpoint, profile=profile), base=HERE).list())
    assert f"Credential={'TEAM' if profile or variable else 'DEFAULT'}/" in seen[0]["authorization"]


@pytest.mark.usefixtures("environment")
def test_credentials_that_end_are_fetched_anew(tmp_path: Path) -> None:
    program, soon = tmp_path / "credentials.py", (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    program.write_text(PROCESS)
    command = shlex.join([sys.executable, str(program), soon])
    (tmp_path / "config").write_text(f"[profile team]\ncredential_process = {command}\n")
    with s3.refuse(403, "AccessDenied") as (endpoint, seen):
        store = connect("s3://events", access=Access(endpoint=endpoint, profile="team"), base=HERE)
        for _ in range(2):
            with pytest.raises(AccessError):
                list(store.list())
            time.sleep(0.2)  # obstore asks for new ones ten times a second at most
    who = [headers["authorization"].partition("Credential=")[2].partition("/")[0] for headers in seen]
    assert len(who) == 2
    assert int(who[1], 16) > int(who[0], 16)


@pytest.mark.usefixtures("environment")
def test_a_profile_that_does_not_exist_is_a_matter_of_settings() -> None:
    with pytest.raises(ConfigError, match="profile 'nobody'"):
        connect("s3://events", access=Access(profile="nobody"), base=HERE)


def test_the_bucket_is_in_the_host_name_where_that_is_wanted() -> None:
    config = options("events", Access(endpoint="https://store.example:9000", path_style=False))["config"]
    assert config["aws_endpoint_url_s3"] == "https://events.store.example:9000"
    assert config["virtual_hosted_style_request"]


def test_what_we_write_is_encrypted_with_the_key_of_the_settings() -> None:
    with s3.refuse(403, "AccessDenied") as (endpoint, seen):
        settings = Access(
            endpoint=endpoint, kms_key_id="alias/k", access_key_id=Secret("a"), secret_access_key=Secret("b")
        )
        with pytest.raises(AccessError):
            connect("s3://events", access=settings, base=HERE).write("a", b"1")
    assert seen[0]["x-amz-server-side-encryption"] == "aws:kms"
    assert seen[0]["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/k"


def test_a_forked_process_is_told_and_does_not_wait_for_ever(environment: pytest.MonkeyPatch, endpoint: str) -> None:
    environment.setenv("AWS_ENDPOINT_URL", endpoint)
    environment.setenv("AWS_ACCESS_KEY_ID", "a")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "b")
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=300)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gs://", "no url of a bucket"),
        ("gs://events/a//b", "no url of a bucket"),
        ("ftp://events", "ftp: is no kind of store"),
        ("s3://", "no url of a bucket"),
        ("s3://events/a//b", "no url of a bucket"),
        ("s3://AKID:hidden@events", "no url of a bucket"),
    ],
)
def test_a_url_we_cannot_open_is_a_matter_of_settings(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        connect(url, base=HERE)
    assert "hidden" not in str(caught.value)


def test_access_settings_make_no_sense_for_a_folder() -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        connect("events", access=Access(), base=HERE)
