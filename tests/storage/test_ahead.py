"""Reading ahead: the same bytes and errors, several requests at once, never more bytes than allowed."""

from collections.abc import Iterator

import pytest
from standins import faults
from standins.faults import Faults

from loader.core.objects import CHUNK_BYTES, File, Store
from loader.errors import ObjectChangedError
from loader.storage.ahead import reading_ahead
from storage import buckets

SIZE = 1_000
COUNT = 60


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Faults, Store]]:
    with (
        buckets.running("gs", tmp_path_factory.mktemp("keys")) as service,
        faults.before(service.endpoint) as found,
    ):
        for number in range(COUNT):
            service.put(f"p/{number:03}", b"%03d" % number * (SIZE // 3) + b"x")
        service.put("p/big", bytes(CHUNK_BYTES + 1))
        found.delay_seconds = 0.02
        yield found, service.store("p", endpoint=found.endpoint)


def test_the_bytes_are_those_of_the_store_in_any_order(proxy: tuple[Faults, Store]) -> None:
    _, store = proxy
    files = list(store.list())
    with reading_ahead(store, files, max_bytes=10 * SIZE) as read:
        for file in (*files, *files[5:9], files[0], File("000", files[0].version, SIZE, files[1].modified_at)):
            assert b"".join(read(file)) == b"".join(store.read(file)), file.key


@pytest.mark.parametrize(("max_bytes", "requests", "most"), [(10 * SIZE, 16, 10), (1 << 20, 4, 4), (1, 16, 1)])
def test_so_many_are_under_way_as_bytes_and_requests_allow(
    max_bytes: int, requests: int, most: int, proxy: tuple[Faults, Store]
) -> None:
    faulty, store = proxy
    files = [file for file in store.list() if file.key != "big"]
    faulty.most_at_once = 0
    with reading_ahead(store, files, max_bytes=max_bytes, requests=requests) as read:
        for file in files:
            for _ in read(file):
                pass
    assert faulty.most_at_once == most


def test_an_object_that_changed_is_an_error_of_its_own_read(proxy: tuple[Faults, Store]) -> None:
    _, store = proxy
    files = [file for file in store.list() if file.key != "big"][:6]
    files[3] = File(files[3].key, '"other"', SIZE, files[3].modified_at)
    with reading_ahead(store, files, max_bytes=1 << 20) as read:
        for file in (*files[:3], *files[4:]):
            assert b"".join(read(file))
        with pytest.raises(ObjectChangedError, match="003 was rewritten"):
            list(read(files[3]))


def test_a_reader_that_stops_waits_for_no_more_than_what_is_under_way(proxy: tuple[Faults, Store]) -> None:
    faulty, store = proxy
    files = [file for file in store.list() if file.key != "big"]
    before = len(faulty.requests)
    with reading_ahead(store, files, max_bytes=1 << 20, requests=4) as read:
        list(read(files[0]))
    assert len(faulty.requests) - before <= 8
