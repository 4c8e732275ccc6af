"""What a real object store refuses and keeps: signatures, permissions, conditions, thousands of keys, a restart."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from standins import faults, seaweedfs
from standins.faults import Faults
from standins.seaweedfs import Server

from loader.config import Access, Secret
from loader.core.compression import unpacked
from loader.core.objects import CHUNK_BYTES, Store, find, load_bytes
from loader.errors import AccessError, ObjectChangedError, StorageError
from loader.storage import connect
from storage.test_bucket import CALLS, LISTED

KEYS = 1_200  # a thousand are a page


@pytest.fixture
def proxy(object_store: Server) -> Iterator[Faults]:
    with faults.before(object_store.endpoint) as found:
        yield found


def store(endpoint: str, prefix: str, key: str = seaweedfs.KEY, secret: str = seaweedfs.SECRET) -> Store:
    return connect(f"s3://events/{prefix}", access=access(endpoint, key, secret), base=Path())


def access(endpoint: str, key: str, secret: str) -> Access:
    return Access(
        endpoint=endpoint, region=seaweedfs.REGION, access_key_id=Secret(key), secret_access_key=Secret(secret)
    )


def keys(store: Store, prefix: str = "", *, after: str = "") -> list[str]:
    return [file.key for file in store.list(prefix, after=after)]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("AKIDNOBODY", seaweedfs.SECRET, "InvalidAccessKeyId"), (seaweedfs.KEY, "hidden", "SignatureDoesNotMatch")],
)
def test_bad_credentials_are_told_at_once_without_showing_them(
    call: str, key: str, secret: str, code: str, proxy: Faults
) -> None:
    with pytest.raises(AccessError, match=rf"{code}.*check the credentials \(`access` or AWS_\*\)") as told:
        CALLS[call](store(proxy.endpoint, "p", key, secret), LISTED)
    assert len(proxy.requests) == 1, "asked again, it would be refused again"
    assert not [each for each in (key, secret, seaweedfs.SECRET) if each in str(told.value)]


def test_a_key_that_may_only_read_reads_and_no_more(object_store: Server, tmp_path: Path) -> None:
    object_store.put(f"{tmp_path.name}/a", b"1")
    reader = store(object_store.endpoint, tmp_path.name, seaweedfs.READER, seaweedfs.READER_SECRET)
    (file,) = reader.list()
    assert b"".join(reader.read(file)) == b"1"
    for call in ("write", "create", "delete"):
        with pytest.raises(AccessError, match=r"not permitted: .*AccessDenied"):
            CALLS[call](reader, file)
    assert keys(reader) == ["a"]
    elsewhere = access(object_store.endpoint, seaweedfs.READER, seaweedfs.READER_SECRET)
    with pytest.raises(AccessError, match="not permitted"):
        list(connect("s3://staging", access=elsewhere, base=Path()).list())


def test_of_simultaneous_creations_one_is_done(object_store: Server, tmp_path: Path) -> None:
    lease = store(object_store.endpoint, tmp_path.name)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: lease.create("lease", b"%d" % number), range(4)))
    assert sorted(done) == [False, False, False, True]
    assert load_bytes(lease, "lease") == b"%d" % done.index(True)


def test_an_object_of_parts_is_whole_and_of_one_version(object_store: Server, tmp_path: Path) -> None:
    found = store(object_store.endpoint, tmp_path.name)
    data = bytes(range(256)) * (CHUNK_BYTES // 256) + b"and more"
    found.write("big", data)
    (file,) = found.list()
    chunks = found.read(file)
    first = next(chunks)
    assert first + b"".join(chunks) == data
    chunks = found.read(file)
    next(chunks)
    found.write("big", data[::-1])
    with pytest.raises(ObjectChangedError, match="big was rewritten"):
        next(chunks)


@pytest.mark.parametrize("kind", ["cut", "short"])
def test_half_a_body_is_not_taken_for_the_whole(kind: faults.Kind, proxy: Faults, tmp_path: Path) -> None:
    data = bytes(range(256)) * 2_000
    found = store(proxy.endpoint, tmp_path.name)
    found.write("a", data)
    proxy.spoil("^GET .*/a$", kind, times=3)
    assert load_bytes(found, "a") == data
    assert proxy.spoiled == {kind: 3}


def test_what_does_not_fit_its_checksum_is_refused(object_store: Server, tmp_path: Path) -> None:
    """Ours is signed with each request, which it does not check: tests/storage/test_faults.py."""
    with pytest.raises(ClientError, match="BadDigest"):
        object_store.put(f"{tmp_path.name}/a", b"1", ContentMD5="rL0Y20zC+Fzt72VPzMSk2A==")  # of `foo`
    with pytest.raises(ClientError, match=r"checksum|BadDigest"):
        object_store.put(f"{tmp_path.name}/a", b"1", ChecksumSHA256="LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=")
    assert keys(store(object_store.endpoint, tmp_path.name)) == []


def test_thousands_are_listed_page_by_page_and_from_anywhere(
    object_store: Server, proxy: Faults, tmp_path: Path
) -> None:
    found = store(proxy.endpoint, tmp_path.name)
    expected = [f"2026-01-{1 + number // 100:02}/{number:05}.jsonl" for number in range(KEYS)]
    straight = store(object_store.endpoint, tmp_path.name)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: straight.write(key, b"1"), expected))
    assert keys(found) == expected
    proxy.requests.clear()
    listing = found.list()
    assert [next(listing).key for _ in range(10)] == expected[:10]
    assert len(proxy.requests) <= 2, "what is not asked for is not fetched"
    proxy.requests.clear()
    assert keys(found, after=expected[1_099]) == expected[1_100:]
    assert len(proxy.requests) == 1
    assert keys(found, "2026-01-1") == expected[900:1_200]
    assert keys(found, "2026-01-05/", after=expected[450]) == expected[451:500]
    last = find(found, expected[-1])
    assert last is not None
    assert last.key == expected[-1]
    found.delete(expected)
    assert keys(found) == []


def test_compressed_objects_arrive_as_stored(object_store: Server, tmp_path: Path) -> None:
    lines = b'{"a": 1}\n' * 1_000
    stored = gzip.compress(lines)
    object_store.put(f"{tmp_path.name}/a.json", stored, ContentEncoding="gzip", ContentType="application/json")
    found = store(object_store.endpoint, tmp_path.name)
    (file,) = found.list()
    assert b"".join(found.read(file)) == stored
    assert b"".join(unpacked(found.read(file))) == lines


def test_keys_with_control_characters_are_listed_from_anywhere_and_read(object_store: Server, tmp_path: Path) -> None:
    expected = ["a", "e/\x01f", "g\x7f", "h"]
    for key in expected:
        object_store.put(f"{tmp_path.name}/{key}", key.encode())
    found = store(object_store.endpoint, tmp_path.name)
    assert {file.key: b"".join(found.read(file)) for file in found.list()} == {key: key.encode() for key in expected}
    for place, key in enumerate(expected):
        assert keys(found, after=key) == expected[place + 1 :]


def test_marks_of_folders_are_left_out(object_store: Server, tmp_path: Path) -> None:
    for key in ("d/", "d/a", "e/"):
        object_store.put(f"{tmp_path.name}/{key}", b"1" if key == "d/a" else b"")
    assert keys(store(object_store.endpoint, tmp_path.name)) == ["d/a"]


def test_a_listing_out_of_order_is_an_error_and_nothing_is_left_out_silently(
    object_store: Server, tmp_path: Path
) -> None:
    for key in ("a/b", "a b"):  # which SeaweedFS lists in this order, folder by folder
        object_store.put(f"{tmp_path.name}/{key}", b"1")
    with pytest.raises(StorageError, match=r"a b is listed after 'a/b'.*in the order of their bytes"):
        keys(store(object_store.endpoint, tmp_path.name))


def test_what_was_written_is_there_after_a_restart(object_store: Server, proxy: Faults, tmp_path: Path) -> None:
    found = store(proxy.endpoint, tmp_path.name)
    found.write("a", b"1" * 9_000_000)
    assert found.create("lease", b"mine")
    object_store.kill()
    object_store.start()
    proxy.behind = object_store.endpoint
    assert load_bytes(found, "a") == b"1" * 9_000_000
    assert not found.create("lease", b"theirs")
