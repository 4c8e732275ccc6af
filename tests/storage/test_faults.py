"""What goes wrong between us and a service: throttling, broken connections, half answers, lost answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standins import faults
from standins.faults import Faults, Kind

from loader.core.objects import Store, find, load_bytes
from loader.errors import StorageError
from storage import buckets
from storage.buckets import Service

DATA = bytes(range(256)) * 2_000  # half of it is more than one packet


@pytest.fixture(scope="module", params=buckets.KINDS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with buckets.running(request.param, tmp_path_factory.mktemp("keys")) as found:
        found.put("full/a", DATA)
        found.put("full/b", b"2")
        yield found


@pytest.fixture
def proxy(service: Service) -> Iterator[Faults]:
    with faults.before(service.endpoint) as found:
        yield found


def listed(store: Store, _: Path) -> None:
    assert [file.key for file in store.list()] == ["a", "b"]


def read(store: Store, _: Path) -> None:
    assert load_bytes(store, "a") == DATA


def written(store: Store, path: Path) -> None:
    store.write(path.name, DATA)
    assert load_bytes(store, path.name) == DATA
    store.delete([path.name])


def created(store: Store, path: Path) -> None:
    assert store.create(path.name, DATA)
    assert not store.create(path.name, b"other")
    assert load_bytes(store, path.name) == DATA
    store.delete([path.name])


def deleted(store: Store, path: Path) -> None:
    store.write(path.name, b"1")
    store.delete([path.name])
    assert find(store, path.name) is None


ACTS: dict[str, tuple[Callable[[Store, Path], None], str]] = {
    "list": (listed, r"^GET /events/?\?"),
    "read": (read, r"^GET /events/full(/|%2F)a"),
    "write": (written, "^PUT "),
    "create": (created, "^PUT "),
    "delete": (deleted, "^(DELETE|POST) "),
}
KINDS: tuple[Kind, ...] = ("status", "reset", "lost", "cut", "short")
HAVE_BODIES = ("list", "read")  # an answer without one cannot come in half


@pytest.mark.parametrize(
    ("act", "kind"), [(act, kind) for act in ACTS for kind in KINDS[: 5 if act in HAVE_BODIES else 3]]
)
def test_nothing_is_lost_or_done_twice(service: Service, proxy: Faults, act: str, kind: Kind, tmp_path: Path) -> None:
    do, asked = ACTS[act]
    proxy.spoil(asked, kind, times=2)
    do(service.store("full", endpoint=proxy.endpoint), tmp_path)
    assert proxy.spoiled == {kind: 2}


@pytest.mark.parametrize("act", ACTS)
def test_what_amazons_clients_repeat_is_repeated(service: Service, proxy: Faults, act: str, tmp_path: Path) -> None:
    do, asked = ACTS[act]
    proxy.spoil(asked, "status", status=400, code="RequestTimeout")
    do(service.store("full", endpoint=proxy.endpoint), tmp_path)
    assert proxy.spoiled == {"status": 1}


@pytest.mark.parametrize("service", ["s3"], indirect=True)  # for Google's nothing is signed: TLS alone protects it
@pytest.mark.parametrize("bytes_", [1_000, 9_000_000])
def test_what_is_damaged_on_the_way_to_s3_is_sent_again(
    service: Service, proxy: Faults, bytes_: int, tmp_path: Path
) -> None:
    store, data = service.store(tmp_path.name, endpoint=proxy.endpoint), b"x" * bytes_
    proxy.spoil("^PUT ", "garbled", times=2)
    store.write("written", data)
    assert load_bytes(store, "written") == data
    proxy.spoil("^PUT ", "garbled")
    assert store.create("created", data)
    assert load_bytes(store, "created") == data
    assert proxy.spoiled == {"garbled": 3}


def test_of_two_creations_at_once_that_both_failed_one_is_made_again(
    service: Service, proxy: Faults, tmp_path: Path
) -> None:
    store = service.store(tmp_path.name, endpoint=proxy.endpoint)
    proxy.spoil("^PUT ", "status", times=2, status=409, code="ConditionalRequestConflict")
    assert store.create("mine", b"mine")
    service.put(f"{tmp_path.name}/theirs", b"mine")
    proxy.spoil("^PUT ", "status", status=409, code="ConditionalRequestConflict")
    assert not store.create("theirs", b"mine")


def test_a_throttled_client_slows_down(service: Service, proxy: Faults) -> None:
    proxy.spoil("^GET ", "status", times=6)
    assert load_bytes(service.store("full", endpoint=proxy.endpoint), "b") == b"2"
    assert proxy.spoiled == {"status": 6}


@pytest.mark.parametrize("service", ["s3"], indirect=True)
def test_a_service_that_was_there_is_waited_for(service: Service, proxy: Faults) -> None:
    store = service.store("full", endpoint=proxy.endpoint)
    proxy.spoil("^GET ", "status", times=11)  # all of obstore's attempts
    with pytest.raises(StorageError, match="after 10 retries"):
        load_bytes(store, "b")
    assert load_bytes(store, "b") == b"2"
    proxy.spoil("^GET .*list-type", "status", times=11)
    assert [file.key for file in store.list()] == ["a", "b"]
    assert proxy.spoiled == {"status": 22}


def test_a_lost_creation_is_ours_by_its_content(service: Service, proxy: Faults, tmp_path: Path) -> None:
    store = service.store(tmp_path.name, endpoint=proxy.endpoint)
    proxy.spoil("^PUT ", "lost")
    assert store.create("mine", b"mine")
    service.put(f"{tmp_path.name}/theirs", b"theirs")
    proxy.spoil("^PUT ", "reset")
    assert not store.create("theirs", b"mine")
    assert load_bytes(store, "theirs") == b"theirs"


def test_what_never_works_ends_with_an_error_that_names_it(service: Service, proxy: Faults) -> None:
    proxy.spoil("^PUT ", "reset", times=1_000)
    with pytest.raises(StorageError, match=r"://events/full/c: "):
        service.store("full", endpoint=proxy.endpoint).create("c", b"1")
