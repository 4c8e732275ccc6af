"""What only Cloud Storage does: unpacking on the way, and Google's ways to say who we are."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins import gcs
from standins.gcs import Cloud
from standins.gcs.tokens import Keys

from loader.config import Access
from loader.core.compression import unpacked
from loader.core.objects import Store
from loader.errors import AccessError, ConfigError, StorageError
from loader.storage import connect

HERE = Path()
LINES = b'{"a": 1}\n' * 1_000


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with gcs.serve("events") as found:
        yield found


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No credentials but those a test sets, whoever runs it."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    return monkeypatch


def bucket(cloud: Cloud, prefix: str, *, account: Path | None = None) -> Store:
    file = None if account is None else str(account)
    access = Access(endpoint=cloud.endpoint, service_account_file=file)
    return connect(f"gs://events/{prefix}", access=access, base=HERE)


def test_an_object_that_the_service_would_unpack_arrives_as_stored(cloud: Cloud, tmp_path: Path) -> None:
    stored = gzip.compress(LINES)
    cloud.put("events", f"{tmp_path.name}/encoded", stored, content_encoding="gzip")
    cloud.put("events", f"{tmp_path.name}/plain.gz", stored)
    cloud.put("events", f"{tmp_path.name}/kept", stored, content_encoding="gzip", cache_control="no-transform")
    store = bucket(cloud, tmp_path.name)
    for file in store.list():
        assert b"".join(store.read(file)) == stored, file.key
        assert b"".join(unpacked(store.read(file))) == LINES, file.key


def test_a_big_one_arrives_as_stored_too(cloud: Cloud, tmp_path: Path) -> None:
    stored = gzip.compress(bytes(9_000_000), 0)
    cloud.put("events", f"{tmp_path.name}/big", stored, content_encoding="gzip")
    store = bucket(cloud, tmp_path.name)
    (file,) = store.list()
    assert b"".join(store.read(file)) == stored


def test_an_odd_one_arrives_as_stored_too(cloud: Cloud, tmp_path: Path) -> None:
    stored = gzip.compress(LINES)
    cloud.put("events", f"{tmp_path.name}/a//b", stored, content_encoding="gzip")
    store = bucket(cloud, tmp_path.name)
    (file,) = store.list()
    assert b"".join(store.read(file)) == stored


def test_a_service_account_is_let_in_and_another_is_not(tmp_path: Path) -> None:
    keys = Keys()
    ours = keys.write(tmp_path / "ours.json")
    with gcs.serve("events", keys=keys) as cloud:
        bucket(cloud, "p", account=ours).write("a", b"1")
        cloud.put("events", "p/b//c", b"2")
        assert [file.key for file in bucket(cloud, "p", account=ours).list()] == ["a", "b//c"]
        theirs = Keys().write(tmp_path / "theirs.json")
        with pytest.raises(AccessError, match=r"gs://events/p: not permitted.*GOOGLE_APPLICATION_CREDENTIALS") as told:
            list(bucket(cloud, "p", account=theirs).list())
        assert "PRIVATE" not in str(told.value)
        with pytest.raises(AccessError, match="not permitted"):
            list(bucket(cloud, "p").list())


def test_the_emulator_of_the_environment_is_used_without_credentials(
    cloud: Cloud, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("STORAGE_EMULATOR_HOST", cloud.endpoint.removeprefix("http://"))
    connect(f"gs://events/{tmp_path.name}", base=HERE).write("a", b"1")
    assert cloud.data("events", f"{tmp_path.name}/a") == b"1"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "service_account_file '.*': No such file"),
        ("not json", "is no key file of a service account"),
        ('["a"]', "is no key file of a service account"),
        ('{"type": "authorized_user", "refresh_token": "hidden"}', "is no key file of a service account"),
    ],
)
def test_a_file_that_is_no_key_is_a_matter_of_settings(content: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=words) as told:
        connect("gs://events", access=Access(service_account_file=str(file)), base=HERE)
    assert "hidden" not in str(told.value)


@pytest.mark.parametrize("content", [None, "not json"])
def test_application_credentials_that_are_none_are_a_matter_of_settings(
    content: str | None, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "adc.json"
    if content is not None:
        file.write_text(content)
    environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ConfigError, match="GOOGLE_APPLICATION_CREDENTIALS: "):
        connect("gs://events", base=HERE)


def test_federated_credentials_are_googles_own_clients_business(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "adc.json"
    subject = tmp_path / "subject"
    subject.write_text("a token of somebody else's")
    # A token exchange that nobody answers: that it is tried shows who asks for the token.
    federated = {"type": "external_account", "token_url": "http://127.0.0.1:9/token", "audience": "//iam/x"}
    source = {"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": {"file": str(subject)}}
    file.write_text(json.dumps({**federated, **source}))
    environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(StorageError) as told:
        connect("gs://events", base=HERE).write("a", b"1")
    assert "somebody else" not in str(told.value)


def test_encoded_names_survive_the_way(cloud: Cloud, tmp_path: Path) -> None:
    store = bucket(cloud, tmp_path.name)
    for key in ("a b+c", "d%2Fe", "ü/☃"):
        store.write(key, key.encode())
        assert cloud.data("events", f"{tmp_path.name}/{key}") == key.encode()
