"""One suite for every kind of store: whatever a flow may rely on holds in a folder and in a bucket."""

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from standins import gcs, s3
from standins.gcs.tokens import Keys

from loader.config import Access, Secret
from loader.core.objects import CHUNK_BYTES, Store, find, load_bytes
from loader.errors import ObjectChangedError, StorageError
from loader.storage import connect, local, prepare

KEYS = [  # in order, by code point
    "#1/a.jsonl",
    "1/x",
    "10/x",
    "1~x",
    "a b.json",
    "a+b",
    "a.txt",
    "a/b",
    "a/b.c/d",
    "a/b2",
    "ab/c",
    "p%20q",
    "q&r=s?t*[u]",
    "x y/z\\",
    "~t",
    "ünï/☃",
    "日=1/x",
    "😀",
]


@pytest.fixture(scope="module")
def of_s3() -> Iterator[Access]:
    with s3.serve() as endpoint:
        yield Access(
            endpoint=endpoint,
            region=s3.REGION,
            access_key_id=Secret("AKIDKEY"),
            secret_access_key=Secret("verysecret"),
        )


@pytest.fixture(scope="module")
def of_gs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    keys = Keys()
    file = keys.write(tmp_path_factory.mktemp("keys") / "account.json")
    with gcs.serve("events", keys=keys) as cloud:
        yield Access(endpoint=cloud.endpoint, service_account_file=str(file))


@pytest.fixture(params=["folder", "s3", "gs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        folder = connect("events", base=tmp_path)
        prepare(folder)
        return folder
    access = request.getfixturevalue(f"of_{request.param}")
    return connect(f"{request.param}://events/{tmp_path.name}", access=access, base=tmp_path)


@pytest.fixture
def full(store: Store) -> Store:
    for key in KEYS:
        store.write(key, key.encode())
    return store


def keys(store: Store, prefix: str = "", *, after: str = "") -> list[str]:
    return [file.key for file in store.list(prefix, after=after)]


def content(store: Store, key: str) -> bytes:
    file = find(store, key)
    assert file is not None
    return b"".join(store.read(file))


def test_a_listing_is_in_key_order_and_every_key_reads_back(full: Store) -> None:
    assert keys(full) == KEYS
    assert {key: content(full, key) for key in KEYS} == {key: key.encode() for key in KEYS}


@pytest.mark.parametrize("after", [*KEYS, "", "a", "a/", "a//", "a/b.", "zz", "0", "\x01", "../x", "\U0010ffff"])
def test_a_listing_goes_on_after_any_text(full: Store, after: str) -> None:
    assert keys(full, after=after) == [key for key in KEYS if key > after]


def test_a_prefix_is_the_start_of_a_key_wherever_it_ends(full: Store) -> None:
    prefixes = {key[:end] for key in KEYS for end in range(len(key) + 1)} | {"0", "a/b/", "a/bc", "zz", "a/b.c/d/e"}
    for prefix in sorted(prefixes):
        assert keys(full, prefix) == [key for key in KEYS if key.startswith(prefix)], prefix


def test_prefix_and_after_hold_together(full: Store) -> None:
    assert keys(full, "a/", after="a/b") == ["a/b.c/d", "a/b2"]
    assert keys(full, "a/b.", after="a/b") == ["a/b.c/d"]
    assert keys(full, "a/", after="b") == []
    assert keys(full, "10/", after="1/x") == ["10/x"]


def test_a_file_says_its_size_and_when_it_was_written(store: Store) -> None:
    store.write("a", b"12345")
    (file,) = store.list()
    assert file.size == 5
    assert file.modified_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - file.modified_at) < timedelta(minutes=1)


def test_memory_of_arrow_is_written_as_it_is(store: Store) -> None:
    buffer = pa.py_buffer(b"\x00\x7f\x80\xff")
    store.write("a", memoryview(buffer))
    assert store.create("b", memoryview(buffer))
    store.write("empty", memoryview(pa.py_buffer(b"")))
    assert [content(store, key) for key in ("a", "b", "empty")] == [b"\x00\x7f\x80\xff"] * 2 + [b""]


def test_two_listings_give_the_same_versions(full: Store) -> None:
    assert list(full.list()) == list(full.list())


def test_writing_again_replaces(store: Store) -> None:
    store.write("a/b", b"first")
    store.write("a/b", b"second, longer")
    store.write("a/b", memoryview(b"third"))
    assert keys(store) == ["a/b"]
    assert content(store, "a/b") == b"third"


def test_creating_twice_keeps_the_first(store: Store) -> None:
    assert store.create("lease", b"mine")
    assert not store.create("lease", b"theirs")
    assert content(store, "lease") == b"mine"
    assert keys(store) == ["lease"]


def test_of_simultaneous_creations_one_wins(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.create("a/lease", b"%d" % n), range(24)))
    assert sum(won) == 1
    assert content(store, "a/lease") == b"%d" % won.index(True)


@pytest.mark.parametrize("data", [b"other", b"other and longer", b""])
def test_a_rewritten_object_is_not_read(store: Store, data: bytes) -> None:
    store.write("a", b"first")
    (listed,) = store.list()
    store.write("a", data)
    with pytest.raises(ObjectChangedError, match="a was rewritten"):
        list(store.read(listed))


@pytest.mark.parametrize("data", [b"", b"first"])
def test_a_deleted_object_is_not_read(store: Store, data: bytes) -> None:
    store.write("d/a", data)
    (listed,) = store.list()
    store.delete(["d/a"])
    with pytest.raises(ObjectChangedError, match="listed"):
        list(store.read(listed))


def test_an_object_rewritten_while_it_is_read_is_never_mixed(store: Store) -> None:
    old = os.urandom(CHUNK_BYTES + 10)
    store.write("a", old)
    (listed,) = store.list()
    chunks = store.read(listed)
    begun = next(chunks)
    store.write("a", bytes(CHUNK_BYTES + 10))
    with suppress(ObjectChangedError):
        assert begun + b"".join(chunks) == old


def test_an_empty_object_is_an_object_of_no_chunks(store: Store) -> None:
    store.write("empty", b"")
    (file,) = store.list()
    assert file.size == 0
    assert list(store.read(file)) == []
    assert load_bytes(store, "empty") == b""


def test_a_big_object_comes_in_chunks(store: Store) -> None:
    data = os.urandom(20_000_000)
    store.write("big", data)
    (file,) = store.list()
    chunks = list(store.read(file))
    assert file.size == len(data)
    assert b"".join(chunks) == data
    assert len(chunks) == 3
    assert {type(chunk) for chunk in chunks} == {bytes}
    assert max(map(len, chunks)) <= CHUNK_BYTES


def test_deleting_what_is_not_there_is_fine(full: Store) -> None:
    full.delete(iter(["a/b", "a/b", "nowhere", "no/where", "a", "a.txt/x"]))
    full.delete([])
    assert keys(full) == [key for key in KEYS if key != "a/b"]
    full.delete(KEYS)
    assert keys(full) == []
    full.write("a/b", b"again")
    assert keys(full) == ["a/b"]


def test_a_thousand_and_one_objects_are_deleted(store: Store) -> None:
    store.delete(f"d/{number}" for number in range(1001))
    store.write("d/1000", b"1")
    store.delete(f"d/{number}" for number in range(1001))
    assert keys(store) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/../b", "./a", "a/\0b"])
def test_a_key_that_is_no_path_is_refused(store: Store, key: str) -> None:
    for call in (lambda: store.write(key, b""), lambda: store.create(key, b""), lambda: store.delete([key])):
        with pytest.raises(StorageError, match="key"):
            call()
    assert keys(store) == []


def test_a_store_can_be_sent_to_another_process(full: Store) -> None:
    other = pickle.loads(pickle.dumps(full))
    assert other == full
    assert keys(other) == KEYS


def test_a_whole_object_is_loaded_by_its_very_key(store: Store) -> None:
    store.write("loads/ab", b"longer key")
    assert load_bytes(store, "loads/a") is None
    store.write("loads/a", b"that key")
    assert load_bytes(store, "loads/a") == b"that key"
    assert load_bytes(store, "loads") is None
    assert load_bytes(store, "nowhere/at/all") is None


def test_a_local_path_has_the_bytes_and_follows_a_rewrite(store: Store, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    store.write("parts/p q.parquet", b"one")
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: local(store, "parts/p q.parquet", scratch), range(16)))
    assert {path.read_bytes() for path in paths} == {b"one"}
    assert len(set(paths)) == 1
    assert len(list(scratch.iterdir())) <= 1
    store.write("parts/p q.parquet", b"two")
    path = local(store, "parts/p q.parquet", scratch)
    assert path.read_bytes() == b"two"
    assert path.suffix == ".parquet"
    with pytest.raises(ObjectChangedError, match="gone"):
        local(store, "parts/p", scratch)


def test_no_secret_is_shown(store: Store) -> None:
    assert "verysecret" not in f"{store} {store!r} {store.url}"
    assert "AKIDKEY" not in f"{store} {store!r} {store.url}"
